// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

/// The way in: deposits and forced requests, in one hash chain that the ledger must consume in
/// order. The first entry that is not consumed in time lets anybody freeze the bridge.
///
/// Nothing here knows roots. What can be signed is bound to chain, contract, action and epoch.
abstract contract Inbox is EIP712, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    /// What an asset of the ledger is on this chain.
    struct Asset {
        /// The token, or zero for ether.
        address token;
        /// Units of the token in one atom of the ledger.
        uint96 scale;
    }

    uint8 public constant DEPOSIT = 1;
    uint8 public constant WITHDRAW = 2;
    uint8 public constant CANCEL_ALL = 3;
    /// A deposit goes to the main account of its owner, whatever its number.
    uint32 public constant MAIN_ACCOUNT = type(uint32).max;
    /// The ledger's limit on the supply of an asset.
    uint256 public constant ATOMS_MAX = (1 << 95) - 1;

    bytes32 private constant FORCE_TYPE =
        keccak256("Force(uint8 kind,uint32 account,uint16 asset,uint128 amount,uint256 epoch)");

    /// Burned by every forced request, in wei, so that flooding the ledger costs.
    uint256 public immutable requestFee;
    /// Assets are numbered from zero, as in the ledger.
    uint16 public immutable assetCount;
    mapping(uint256 asset => Asset) public assets;

    /// Entries so far.
    uint64 public entryCount;
    /// The chain hash after this many entries.
    mapping(uint64 count => bytes32) public chainHash;
    /// When an entry was made; zero once it was reclaimed.
    mapping(uint64 index => uint64) public entryTime;
    /// Ether that is not of the ledger: the bonds of proposers.
    uint256 public bondsTotal;
    /// A signature names its signer's epoch, and using one ends the epoch: each counts once.
    mapping(address owner => uint256) public epoch;

    event Entry(
        uint64 indexed index,
        address indexed owner,
        uint8 kind,
        uint32 account,
        uint16 asset,
        uint128 amount,
        bytes32 chainHash
    );

    error BadAmount();
    error BadAsset();
    error BadKind();
    error BadOwner();
    error BadSignature();
    error BadTerms();
    error BadValue();
    error IsFrozen();
    error NotWhole(uint256 expected, uint256 arrived);
    error TooMuch();

    modifier whenLive() {
        if (frozen()) revert IsFrozen();
        _;
    }

    constructor(Asset[] memory list, uint256 fee) EIP712("Keel", "1") {
        if (list.length == 0 || list.length > 256) revert BadTerms();
        for (uint256 i = 0; i < list.length; ++i) {
            if (list[i].scale == 0) revert BadTerms();
            // What an asset may pay out is what lies here of its token, so no two may share one.
            for (uint256 j = 0; j < i; ++j) {
                if (list[i].token == list[j].token) revert BadTerms();
            }
            assets[i] = list[i];
        }
        assetCount = uint16(list.length);
        requestFee = fee;
    }

    /// Whether only exits are left.
    function frozen() public view virtual returns (bool);

    /// Pays `amount` atoms of an asset to the main account of `owner` on the ledger.
    ///
    /// A token that takes a fee on the way, so that less arrives, is refused: the ledger could not
    /// pay out what it credited.
    function deposit(uint16 asset, uint128 amount, address owner) external payable nonReentrant whenLive {
        Asset memory it = assets[asset];
        if (it.scale == 0) revert BadAsset();
        if (amount == 0 || amount > ATOMS_MAX) revert BadAmount();
        if (owner == address(0)) revert BadOwner();
        uint256 units = uint256(amount) * it.scale;
        if (it.token == address(0)) {
            if (msg.value != units) revert BadValue();
        } else {
            if (msg.value != 0) revert BadValue();
            uint256 before = IERC20(it.token).balanceOf(address(this));
            IERC20(it.token).safeTransferFrom(msg.sender, address(this), units);
            uint256 arrived = IERC20(it.token).balanceOf(address(this)) - before;
            if (arrived != units) revert NotWhole(units, arrived);
        }
        if (_holds(it.token) > ATOMS_MAX * it.scale) revert TooMuch();
        _append(DEPOSIT, owner, MAIN_ACCOUNT, asset, amount);
    }

    /// Makes the ledger cancel all orders of an account of the sender, and for `WITHDRAW` take up to
    /// `amount` atoms of an asset out of it; a `CANCEL_ALL` names neither.
    function force(uint8 kind, uint32 account, uint16 asset, uint128 amount) external payable nonReentrant {
        _force(msg.sender, kind, account, asset, amount);
    }

    /// The same for whoever signed it; the sender pays the fee.
    function forceFor(
        address owner,
        uint8 kind,
        uint32 account,
        uint16 asset,
        uint128 amount,
        bytes calldata signature
    ) external payable nonReentrant {
        bytes32 action = keccak256(abi.encode(FORCE_TYPE, kind, account, asset, amount, epoch[owner]));
        _useSignature(owner, action, signature);
        _force(owner, kind, account, asset, amount);
    }

    /// Ends the sender's epoch: what was signed in it and not used is void.
    function endEpoch() external {
        ++epoch[msg.sender];
    }

    function _force(address owner, uint8 kind, uint32 account, uint16 asset, uint128 amount) private whenLive {
        if (msg.value != requestFee) revert BadValue();
        if (kind == WITHDRAW) {
            if (asset >= assetCount) revert BadAsset();
            if (amount == 0) revert BadAmount();
        } else if (kind == CANCEL_ALL) {
            if (asset != 0) revert BadAsset();
            if (amount != 0) revert BadAmount();
        } else {
            revert BadKind();
        }
        _append(kind, owner, account, asset, amount);
        // To nobody, so that neither ignoring requests nor making them is ever worth it.
        _send(address(0), msg.value);
    }

    function _append(uint8 kind, address owner, uint32 account, uint16 asset, uint128 amount) private {
        uint64 index = entryCount;
        bytes32 hash = _chain(chainHash[index], index, kind, owner, account, asset, amount);
        entryCount = index + 1;
        chainHash[index + 1] = hash;
        entryTime[index] = uint64(block.timestamp);
        emit Entry(index, owner, kind, account, asset, amount, hash);
    }

    function _chain(
        bytes32 previous,
        uint64 index,
        uint8 kind,
        address owner,
        uint32 account,
        uint16 asset,
        uint128 amount
    ) internal pure returns (bytes32) {
        return sha256(abi.encodePacked(previous, index, kind, owner, account, asset, amount));
    }

    /// Checks a signature over an action of the current epoch, and ends the epoch.
    function _useSignature(address owner, bytes32 action, bytes calldata signature) internal {
        (address signer, ECDSA.RecoverError failure,) =
            ECDSA.tryRecoverCalldata(_hashTypedDataV4(action), signature);
        if (failure != ECDSA.RecoverError.NoError || signer != owner) revert BadSignature();
        ++epoch[owner];
    }

    /// What lies here of a token for the ledger.
    function _holds(address token) internal view returns (uint256) {
        return token == address(0) ? address(this).balance - bondsTotal : IERC20(token).balanceOf(address(this));
    }

    /// Pays atoms of an asset out. Never more than lies here for the ledger: bonds are not touched.
    function _pay(uint256 asset, address to, uint256 amount) internal {
        (address token, uint256 scale) = (assets[asset].token, assets[asset].scale);
        if (scale == 0) revert BadAsset();
        uint256 units = amount * scale;
        if (token == address(0)) {
            if (units > _holds(address(0))) revert TooMuch();
            _send(to, units);
        } else {
            IERC20(token).safeTransfer(to, units);
        }
    }

    /// Sends ether and looks at nothing that the receiver returns.
    function _send(address to, uint256 value) internal {
        bool sent;
        assembly ("memory-safe") {
            sent := call(gas(), to, value, 0, 0, 0, 0)
        }
        if (!sent) revert BadValue();
    }
}
