// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Anchor} from "../src/Anchor.sol";
import {Bridge} from "../src/Bridge.sol";
import {Exit} from "../src/Exit.sol";
import {Inbox} from "../src/Inbox.sol";
import {PlainToken} from "./contracts/Tokens.sol";

/// What forge can do, as far as these tests need it.
interface Vm {
    function warp(uint256) external;
    function prank(address) external;
    function deal(address, uint256) external;
    function expectRevert(bytes4) external;
    function expectPartialRevert(bytes4) external;
    function assume(bool) external pure;
    function addr(uint256) external pure returns (address);
    function sign(uint256, bytes32) external pure returns (uint8, bytes32, bytes32);
}

/// A bridge with ether and a token, and the small state trees of its ledger: accounts 0 to 3.
abstract contract Fixture {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));
    uint256 internal constant ACCOUNTS = 4;
    uint32 internal constant WINDOW = 100;
    uint32 internal constant PERIOD = 1000;
    uint32 internal constant SILENCE = 5000;
    uint96 internal constant ETHER_SCALE = 1e9;
    address internal constant OPERATOR = address(0x0e);

    Bridge internal bridge;
    PlainToken internal token;
    bytes32[32] internal empty;
    Anchor.Checkpoint internal last;
    Anchor.Checkpoint internal none;

    function _make(address judge) internal {
        for (uint256 i = 1; i < 32; ++i) {
            empty[i] = sha256(abi.encode(empty[i - 1], empty[i - 1]));
        }
        vm.warp(1_000_000);
        token = new PlainToken();
        Inbox.Asset[] memory list = new Inbox.Asset[](2);
        list[0] = Inbox.Asset(address(0), ETHER_SCALE);
        list[1] = Inbox.Asset(address(token), 1);
        Anchor.Terms memory terms = Anchor.Terms({
            genesisRoot: sha256(abi.encode(empty[31], empty[31])),
            operator: OPERATOR,
            judge: judge,
            bond: 1 ether,
            requestFee: 1e6,
            challengeWindow: WINDOW,
            requestPeriod: PERIOD,
            openAfter: SILENCE - 1,
            freezeAfter: SILENCE,
            dataOnChain: false
        });
        bridge = new Bridge(terms, list);
        last.stateRoot = terms.genesisRoot;
        vm.deal(OPERATOR, 1 ether);
        vm.prank(OPERATOR);
        bridge.addBond{value: 1 ether}();
    }

    /// Publishes as the operator and remembers the checkpoint.
    function _publish(bytes32 root, uint64 consumed) internal {
        bytes32 inboxHash = bridge.chainHash(consumed);
        vm.prank(OPERATOR);
        bridge.publish(last.sequence + 1, consumed, inboxHash, root, bytes32(uint256(7)));
        last = Anchor.Checkpoint({
            index: last.index + 1,
            sequence: last.sequence + 1,
            consumed: consumed,
            time: uint64(block.timestamp),
            proposer: OPERATOR,
            stateRoot: root,
            dataCommitment: bytes32(uint256(7))
        });
    }

    /// The root over the leaves of accounts 0 to 3, and what leads there from one of them.
    function _tree(bytes32[ACCOUNTS] memory leaves, uint256 account)
        internal
        view
        returns (bytes32 root, bytes32[32] memory siblings)
    {
        siblings = empty;
        siblings[0] = leaves[account ^ 1];
        uint256 other = account < 2 ? 2 : 0;
        siblings[1] = sha256(abi.encode(leaves[other], leaves[other + 1]));
        root = leaves[account];
        for (uint256 i = 0; i < 32; ++i) {
            bool isLeft = (account >> i) % 2 == 0;
            root = isLeft ? sha256(abi.encode(root, siblings[i])) : sha256(abi.encode(siblings[i], root));
        }
    }

    function _leaf(Exit.Record memory record) internal pure returns (bytes32) {
        bytes memory head = abi.encodePacked(bytes8("keelacc1"), record.account, record.owner);
        return sha256(abi.encodePacked(head, record.words));
    }

    /// A record with two words for each of both assets.
    function _record(uint32 account, address owner, uint128[3] memory ethers, uint128[3] memory tokens)
        internal
        pure
        returns (Exit.Record memory)
    {
        uint256[] memory words = new uint256[](4);
        words[0] = ethers[0];
        words[1] = uint256(ethers[2]) << 128 | ethers[1];
        words[2] = (1 << 128) | uint256(tokens[0]);
        words[3] = uint256(tokens[2]) << 128 | tokens[1];
        return Exit.Record(account, owner, words);
    }
}
