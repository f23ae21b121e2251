// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// A token as it should be, which anybody may mint.
contract PlainToken is ERC20("Plain", "PLN") {
    function mint(address to, uint256 units) external {
        _mint(to, units);
    }
}

/// Takes a hundredth of every transfer.
contract FeeToken is ERC20("Fee", "FEE") {
    function mint(address to, uint256 units) external {
        _mint(to, units);
    }

    function _update(address from, address to, uint256 units) internal override {
        super._update(from, to, units);
        if (from != address(0) && to != address(0)) super._update(to, address(0xfee), units / 100);
    }
}

/// Says false instead of failing, from the moment that it is told to.
contract FalseToken is ERC20("False", "FLS") {
    bool public refuses;

    function mint(address to, uint256 units) external {
        _mint(to, units);
    }

    function refuse(bool yes) external {
        refuses = yes;
    }

    function transfer(address to, uint256 units) public override returns (bool) {
        return !refuses && super.transfer(to, units);
    }

    function transferFrom(address from, address to, uint256 units) public override returns (bool) {
        return !refuses && super.transferFrom(from, to, units);
    }
}

/// Calls somebody in the middle of every transfer, and remembers whether that worked.
contract ReentrantToken is ERC20("Reentrant", "REE") {
    address public target;
    bytes public call;
    uint256 public tried;
    uint256 public worked;

    function mint(address to, uint256 units) external {
        _mint(to, units);
    }

    function arm(address target_, bytes calldata call_) external {
        (target, call) = (target_, call_);
    }

    function _update(address from, address to, uint256 units) internal override {
        if (target != address(0) && from != address(0)) {
            ++tried;
            (bool ok,) = target.call(call);
            if (ok) ++worked;
        }
        super._update(from, to, units);
    }
}
