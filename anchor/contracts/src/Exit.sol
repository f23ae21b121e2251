// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Anchor} from "./Anchor.sol";
import {StateTree} from "./StateTree.sol";

/// The way out: what an account has withdrawn, shown by its record under a final root, and after a
/// freeze all that it has. Anybody may bring the proof; only the owner of the record is paid, or whom
/// he sold the claim to.
///
/// How much an account has withdrawn only grows, and so does how much was paid: no claim is paid
/// twice, whichever final checkpoint it is shown under.
abstract contract Exit is Anchor {
    /// What an account has on the ledger, as in docs/STATE_TREE.md: per asset two words, which are
    /// asset << 128 | free and withdrawn << 128 | held.
    struct Record {
        uint32 account;
        address owner;
        uint256[] words;
    }

    /// The next units of an account and asset, up to a total, are another's.
    struct Sale {
        address to;
        uint128 upTo;
    }

    uint256 private constant SOLD = 1 << 128;
    bytes32 private constant SELL_TYPE =
        keccak256("Sell(uint32 account,uint16 asset,uint128 upTo,address to,uint256 epoch)");

    /// Of an account's claim on an asset: atoms paid so far, and whether anybody ever sold it. He need
    /// not have owned it, but only then is it looked up. One word, for a claim writes it once.
    mapping(uint256 accountAndAsset => uint256) private _claims;
    mapping(address owner => mapping(uint256 accountAndAsset => Sale)) private _sales;

    event Paid(uint32 indexed account, uint16 asset, address to, uint256 amount);
    event Sold(address indexed owner, uint32 indexed account, uint16 indexed asset, address to, uint128 upTo);
    event Reclaimed(uint64 indexed index, address indexed owner, uint16 asset, uint128 amount);

    error AlreadyReclaimed();
    error AlreadySold();
    error NothingDue();
    error NotOwned();
    error WrongEntry();
    error WrongProof();

    /// Pays what is due to an account: of each asset whose place in the record is a bit of `places`.
    function claim(
        Checkpoint calldata checkpoint,
        Record calldata record,
        bytes32[32] calldata siblings,
        uint256 places
    ) external nonReentrant {
        bool all = _checkFinal(checkpoint);
        // The accounts of the system have no owner: fees and dust stay.
        if (record.owner == address(0)) revert NotOwned();
        bytes32 root = StateTree.root(record.account, record.owner, record.words, siblings);
        if (root != checkpoint.stateRoot) revert WrongProof();
        // A place beyond the record, or none at all, has nothing.
        if (places == 0 || places >> (record.words.length / 2) != 0) revert NothingDue();
        for (uint256 word = 0; places != 0; word += 2) {
            if (places & 1 != 0) {
                _claim(record.account, record.owner, record.words[word], record.words[word + 1], all);
            }
            places >>= 1;
        }
    }

    /// Gives a deposit back that the last final checkpoint before the freeze had not consumed, to
    /// whom it was to be credited.
    function reclaim(uint64 index, address owner, uint16 asset, uint128 amount) external nonReentrant {
        if (!frozen()) revert NotFrozen();
        if (index < frozenAt.consumed || index >= entryCount) revert WrongEntry();
        if (entryTime[index] == 0) revert AlreadyReclaimed();
        bytes32 hash = _chain(chainHash[index], index, DEPOSIT, owner, MAIN_ACCOUNT, asset, amount);
        if (chainHash[index + 1] != hash) revert WrongEntry();
        entryTime[index] = 0;
        emit Reclaimed(index, owner, asset, amount);
        _pay(asset, owner, amount);
    }

    /// Makes the next units of an account and asset payable to another, until `upTo` have been paid
    /// in all. It cannot be taken back, so whoever buys it can pay early. The buyer checks that the
    /// seller owns the account and what it has.
    function sell(uint32 account, uint16 asset, uint128 upTo, address to) external {
        _sell(msg.sender, account, asset, upTo, to);
    }

    /// The same for whoever signed it.
    function sellFor(
        address owner,
        uint32 account,
        uint16 asset,
        uint128 upTo,
        address to,
        bytes calldata signature
    ) external {
        bytes32 action = keccak256(abi.encode(SELL_TYPE, account, asset, upTo, to, epoch[owner]));
        _useSignature(owner, action, signature);
        _sell(owner, account, asset, upTo, to);
    }

    /// Atoms of an asset paid to an account so far.
    function paid(uint32 account, uint16 asset) external view returns (uint128) {
        return uint128(_claims[_key(account, asset)]);
    }

    /// The sale of a claim, if it is not fulfilled.
    function sale(address owner, uint32 account, uint16 asset) external view returns (Sale memory) {
        return _sales[owner][_key(account, asset)];
    }

    function _claim(uint32 account, address owner, uint256 first, uint256 second, bool all) private {
        // The record is under the root, but a wrong root must not do more harm than it says.
        if (first >> 144 != 0) revert BadAsset();
        uint16 asset = uint16(first >> 128);
        uint256 total = second >> 128;
        if (all) total += uint128(first) + uint256(uint128(second));
        uint256 key = _key(account, asset);
        uint256 it = _claims[key];
        uint256 before = uint128(it);
        if (total <= before || total > type(uint128).max) revert NothingDue();
        _claims[key] = (it & SOLD) | total;
        // First what was sold, then the rest.
        uint256 sold = 0;
        if (it & SOLD != 0) {
            Sale memory sold_ = _sales[owner][key];
            if (sold_.upTo > before) {
                sold = (total < sold_.upTo ? total : sold_.upTo) - before;
                emit Paid(account, asset, sold_.to, sold);
                _pay(asset, sold_.to, sold);
            }
        }
        uint256 rest = total - before - sold;
        if (rest != 0) {
            emit Paid(account, asset, owner, rest);
            _pay(asset, owner, rest);
        }
    }

    function _sell(address owner, uint32 account, uint16 asset, uint128 upTo, address to) private {
        if (asset >= assetCount) revert BadAsset();
        if (to == address(0) || owner == address(0)) revert BadOwner();
        uint256 key = _key(account, asset);
        uint256 before = uint128(_claims[key]);
        if (_sales[owner][key].upTo > before) revert AlreadySold();
        if (upTo <= before) revert NothingDue();
        _sales[owner][key] = Sale(to, upTo);
        _claims[key] |= SOLD;
        emit Sold(owner, account, asset, to, upTo);
    }

    function _key(uint32 account, uint16 asset) private pure returns (uint256) {
        return (uint256(account) << 16) | asset;
    }
}
