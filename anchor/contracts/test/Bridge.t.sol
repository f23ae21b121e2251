// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Anchor} from "../src/Anchor.sol";
import {Exit} from "../src/Exit.sol";
import {Inbox} from "../src/Inbox.sol";
import {StateTree} from "../src/StateTree.sol";
import {Verifier} from "./contracts/Actors.sol";
import {Fixture} from "./Fixture.sol";

/// Single rules of the bridge, over whatever values forge comes upon.
contract BridgeTest is Fixture {
    address private constant ALICE = address(0xa11ce);
    Verifier private verifier;

    function setUp() public {
        _make(address(0));
        verifier = new Verifier();
        vm.deal(address(this), type(uint128).max);
        token.mint(address(this), type(uint128).max);
        token.approve(address(bridge), type(uint256).max);
    }

    /// The assembly against the plainest form of the specification.
    function testFuzz_rootIsTheSpecified(
        uint32 account,
        address owner,
        uint256[] memory words,
        bytes32[32] memory siblings
    ) public {
        if (words.length % 2 != 0) {
            vm.expectRevert(StateTree.OddRecord.selector);
            verifier.root(account, owner, words, siblings);
            return;
        }
        bytes32 node = _leaf(Exit.Record(account, owner, words));
        for (uint256 i = 0; i < 32; ++i) {
            bool isLeft = (account >> i) % 2 == 0;
            node = sha256(isLeft ? abi.encode(node, siblings[i]) : abi.encode(siblings[i], node));
        }
        require(node == verifier.root(account, owner, words, siblings));
    }

    function testFuzz_theInboxIsAChain(uint96[8] memory amounts, uint32 account) public {
        bytes32 hash = 0;
        for (uint64 i = 0; i < 8; ++i) {
            uint8 kind = uint8(amounts[i] % 3) + 1;
            uint128 amount = kind == 3 ? 0 : amounts[i] % 1e15 + 1;
            uint16 asset = kind == 3 ? 0 : uint16(amounts[i] % 2);
            uint32 whose = kind == 1 ? type(uint32).max : account;
            if (kind == 1) bridge.deposit{value: asset == 0 ? amount * 1e9 : 0}(asset, amount, address(this));
            else bridge.force{value: 1e6}(kind, whose, asset, amount);
            hash = sha256(abi.encodePacked(hash, i, kind, address(this), whose, asset, amount));
            require(bridge.chainHash(i + 1) == hash);
        }
        require(bridge.entryCount() == 8);
    }

    function testFuzz_onlyWholeAtomsOfEtherAreTaken(uint96 amount, uint256 value) public {
        vm.assume(amount != 0 && amount < 1e18);
        value %= 1e30;
        if (value != uint256(amount) * ETHER_SCALE) vm.expectRevert(Inbox.BadValue.selector);
        bridge.deposit{value: value}(0, amount, ALICE);
    }

    function testFuzz_aClaimPaysWhatIsWithdrawnOnce(uint64 free, uint64 held, uint64 withdrawn) public {
        vm.assume(withdrawn != 0);
        bridge.deposit(1, uint128(free) + held + withdrawn, ALICE);
        Exit.Record memory it = _record(2, ALICE, [uint128(0), 0, 0], [uint128(free), held, withdrawn]);
        bytes32[4] memory leaves;
        leaves[2] = _leaf(it);
        (bytes32 root, bytes32[32] memory siblings) = _tree(leaves, 2);
        _publish(root, 1);
        vm.expectRevert(Anchor.NotFinal.selector);
        bridge.claim(last, it, siblings, 2);
        vm.warp(block.timestamp + WINDOW + 1);
        bridge.claim(last, it, siblings, 2);
        require(token.balanceOf(ALICE) == withdrawn);
        vm.expectRevert(Exit.NothingDue.selector);
        bridge.claim(last, it, siblings, 2);
        // After a freeze the rest, once.
        vm.warp(block.timestamp + SILENCE + 1);
        bridge.freeze(last, none);
        if (free == 0 && held == 0) vm.expectRevert(Exit.NothingDue.selector);
        bridge.claim(last, it, siblings, 2);
        require(token.balanceOf(ALICE) == uint256(free) + held + withdrawn);
        require(token.balanceOf(address(bridge)) == 0);
    }

    function testFuzz_aChangedProofIsRefused(uint256 level, bytes32 other, uint256 flip) public {
        Exit.Record memory it = _record(1, ALICE, [uint128(1), 2, 3], [uint128(4), 5, 6]);
        bytes32[4] memory leaves;
        leaves[1] = _leaf(it);
        (bytes32 root, bytes32[32] memory siblings) = _tree(leaves, 1);
        _publish(root, 0);
        vm.warp(block.timestamp + WINDOW + 1);
        vm.assume(siblings[level % 32] != other);
        bytes32 right = siblings[level % 32];
        siblings[level % 32] = other;
        vm.expectRevert(Exit.WrongProof.selector);
        bridge.claim(last, it, siblings, 1);
        siblings[level % 32] = right;
        it.words[flip % 4] ^= 1 << (flip >> 8 & 255);
        vm.expectRevert(Exit.WrongProof.selector);
        bridge.claim(last, it, siblings, 1);
    }

    function testFuzz_aSaleIsSignedForOneEpoch(uint256 key, uint128 upTo, address to) public {
        key = key % (type(uint128).max) + 1;
        vm.assume(upTo != 0 && to != address(0));
        address owner = vm.addr(key);
        bytes32 kind = keccak256("Sell(uint32 account,uint16 asset,uint128 upTo,address to,uint256 epoch)");
        bytes32 action = keccak256(abi.encode(kind, uint32(9), uint16(1), upTo, to, uint256(0)));
        bytes memory signature = _sign(key, action);
        bridge.sellFor(owner, 9, 1, upTo, to, signature);
        require(bridge.sale(owner, 9, 1).to == to && bridge.epoch(owner) == 1);
        vm.expectRevert(Inbox.BadSignature.selector);
        bridge.sellFor(owner, 9, 1, upTo, to, signature);
    }

    function _sign(uint256 key, bytes32 action) private view returns (bytes memory) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Keel"),
                keccak256("1"),
                block.chainid,
                address(bridge)
            )
        );
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, keccak256(abi.encodePacked("\x19\x01", domain, action)));
        return abi.encodePacked(r, s, v);
    }
}
