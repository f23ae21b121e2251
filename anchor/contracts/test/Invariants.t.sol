// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Exit} from "../src/Exit.sol";
import {Fixture} from "./Fixture.sol";

/// The ledger in a few lines, and every way to use the bridge with it, in whatever order forge
/// comes upon. What cannot be done at the moment is passed over; what can must not fail.
contract Handler is Fixture {
    struct Funds {
        uint128 free;
        uint128 held;
        uint128 withdrawn;
    }

    struct Deposit {
        uint64 index;
        uint256 account;
        uint16 asset;
        uint128 amount;
        bool reclaimed;
    }

    /// By account and asset: now, as last published, and as last final.
    Funds[2][4] private funds;
    Funds[2][4] private published;
    Deposit[] private deposits;
    uint256 private consumed;
    bool private isFrozen;

    constructor() {
        _make(address(0));
        vm.deal(address(this), type(uint128).max);
        token.mint(address(this), type(uint128).max);
        token.approve(address(bridge), type(uint256).max);
    }

    function deposit(uint256 account, bool asset, uint64 amount) external {
        if (isFrozen || amount == 0) return;
        uint16 which = asset ? 1 : 0;
        account %= ACCOUNTS;
        deposits.push(Deposit(bridge.entryCount(), account, which, amount, false));
        bridge.deposit{value: asset ? 0 : uint256(amount) * ETHER_SCALE}(which, amount, _owner(account));
    }

    function consume() external {
        if (isFrozen || consumed == deposits.length) return;
        Deposit memory it = deposits[consumed++];
        funds[it.account][it.asset].free += it.amount;
    }

    function trade(uint256 from, uint256 to, bool asset, uint128 amount) external {
        Funds storage source = funds[from % ACCOUNTS][asset ? 1 : 0];
        if (source.free == 0) return;
        amount %= source.free + 1;
        source.free -= amount;
        funds[to % ACCOUNTS][asset ? 1 : 0].held += amount;
    }

    function withdraw(uint256 account, bool asset, uint128 amount) external {
        Funds storage it = funds[account % ACCOUNTS][asset ? 1 : 0];
        amount %= it.free + 1;
        it.free -= amount;
        it.withdrawn += amount;
    }

    function publish() external {
        if (isFrozen) return;
        published = funds;
        bytes32[ACCOUNTS] memory leaves = _leaves();
        (bytes32 root,) = _tree(leaves, 0);
        _publish(root, uint64(consumed));
        // One pending checkpoint at a time is enough here.
        vm.warp(block.timestamp + WINDOW + 1);
    }

    function claim(uint256 account, uint8 places) external {
        account %= ACCOUNTS;
        if (last.index == 0) return;
        uint256 due = 0;
        for (uint16 asset = 0; asset < 2; ++asset) {
            if (_due(account, asset) != 0 && places & (1 << asset) != 0) due |= 1 << asset;
        }
        if (due == 0) return;
        (, bytes32[32] memory siblings) = _tree(_leaves(), account);
        bridge.claim(last, _recordOf(account), siblings, due);
    }

    function sell(uint256 account, bool asset, uint64 upTo) external {
        account %= ACCOUNTS;
        uint16 which = asset ? 1 : 0;
        uint128 before = bridge.paid(uint32(account), which);
        if (upTo <= before || bridge.sale(_owner(account), uint32(account), which).upTo > before) return;
        vm.prank(_owner(account));
        bridge.sell(uint32(account), which, upTo, address(0xb0b));
    }

    /// Seldom, so that walks are long.
    function freeze(uint8 chance) external {
        if (isFrozen || chance > 16) return;
        vm.warp(block.timestamp + SILENCE + 1);
        bridge.freeze(last, none);
        isFrozen = true;
    }

    function reclaim(uint256 which) external {
        if (!isFrozen || deposits.length == 0) return;
        which %= deposits.length;
        Deposit storage it = deposits[which];
        if (it.index < last.consumed || it.reclaimed) return;
        it.reclaimed = true;
        bridge.reclaim(it.index, _owner(it.account), it.asset, it.amount);
    }

    /// What the bridge must hold of an asset, in atoms: what the ledger as published owes, and what it
    /// has not consumed.
    function owed(uint16 asset) external view returns (uint256 sum) {
        for (uint256 i = 0; i < ACCOUNTS; ++i) {
            Funds memory it = published[i][asset];
            sum += uint256(it.free) + it.held + it.withdrawn - bridge.paid(uint32(i), asset);
        }
        for (uint256 i = last.consumed; i < deposits.length; ++i) {
            if (deposits[i].asset == asset && !deposits[i].reclaimed) sum += deposits[i].amount;
        }
    }

    function held() external view returns (uint256 ethers, uint256 tokens) {
        ethers = (address(bridge).balance - bridge.bondsTotal()) / ETHER_SCALE;
        tokens = token.balanceOf(address(bridge));
    }

    function _due(uint256 account, uint16 asset) private view returns (uint256) {
        Funds memory it = published[account][asset];
        uint256 total = isFrozen ? uint256(it.free) + it.held + it.withdrawn : it.withdrawn;
        return total - bridge.paid(uint32(account), asset);
    }

    function _leaves() private view returns (bytes32[ACCOUNTS] memory leaves) {
        for (uint256 i = 0; i < ACCOUNTS; ++i) {
            leaves[i] = _leaf(_recordOf(i));
        }
    }

    function _recordOf(uint256 account) private view returns (Exit.Record memory) {
        Funds memory a = published[account][0];
        Funds memory b = published[account][1];
        return _record(
            uint32(account), _owner(account), [a.free, a.held, a.withdrawn], [b.free, b.held, b.withdrawn]
        );
    }

    function _owner(uint256 account) private pure returns (address) {
        return address(uint160(0xacc0 + account));
    }
}

/// Funds are conserved, whatever happens.
contract InvariantsTest {
    Handler private handler;

    function setUp() public {
        handler = new Handler();
    }

    function targetContracts() public view returns (address[] memory list) {
        list = new address[](1);
        list[0] = address(handler);
    }

    function invariant_whatLiesHereIsWhatIsOwed() public view {
        (uint256 ethers, uint256 tokens) = handler.held();
        require(ethers == handler.owed(0), "ether");
        require(tokens == handler.owed(1), "token");
    }
}
