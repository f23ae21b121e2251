// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Bridge} from "../../src/Bridge.sol";
import {Anchor} from "../../src/Anchor.sol";
import {StateTree} from "../../src/StateTree.sol";

/// The verifier by itself.
contract Verifier {
    function root(uint32 account, address owner, uint256[] calldata words, bytes32[32] calldata siblings)
        external
        view
        returns (bytes32)
    {
        return StateTree.root(account, owner, words, siblings);
    }
}

/// A judge who does as anybody says: for the seam alone.
contract YesJudge {
    function remove(
        Bridge bridge,
        Anchor.Checkpoint calldata wrong,
        Anchor.Checkpoint calldata before,
        address challenger
    ) external {
        bridge.remove(wrong, before, challenger);
    }
}

/// An owner that is a contract: it may refuse ether, or call back when it is paid.
contract Payee {
    bool public refuses;
    address public target;
    bytes public call;
    bool public worked;

    function refuse(bool yes) external {
        refuses = yes;
    }

    function arm(address target_, bytes calldata call_) external {
        (target, call) = (target_, call_);
    }

    /// Does something as this contract.
    function act(address to, uint256 value, bytes calldata data) external payable {
        (bool ok,) = to.call{value: value}(data);
        require(ok);
    }

    receive() external payable {
        require(!refuses);
        if (target != address(0)) (worked,) = target.call(call);
    }
}
