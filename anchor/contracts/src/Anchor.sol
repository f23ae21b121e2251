// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Inbox} from "./Inbox.sol";

/// Checkpoints of the ledger: who may publish them, when they are final, and when they end.
///
/// Of a checkpoint only its hash is stored; whoever uses one brings it along. It is final once the
/// challenge window has passed, without any transaction, and since times only grow, checkpoints
/// become final in order.
///
/// That a state root follows from the one before is NOT proven here yet: see docs/TRUST.md. The
/// seam for such a proof is `judge`. While there is none, nobody but the operator may publish, for
/// an open door to unproven roots is an open safe; silence then ends in a freeze.
abstract contract Anchor is Inbox {
    /// What is published. All of it is hashed into one slot.
    struct Checkpoint {
        /// Counts from zero, which is the genesis.
        uint64 index;
        /// Of the ledger's total order.
        uint64 sequence;
        /// How many entries of the inbox the ledger has consumed.
        uint64 consumed;
        /// When it was published.
        uint64 time;
        address proposer;
        bytes32 stateRoot;
        /// SHA-256 of (hash of the published file, root of the chunks); the latter is zero until
        /// there is a judge to use it. With data on chain, the hash of that and of its blobs.
        bytes32 dataCommitment;
    }

    /// Fixed for ever when the bridge is made.
    struct Terms {
        bytes32 genesisRoot;
        address operator;
        /// Who may remove checkpoints that are not final: a contract that re-executes, or zero.
        address judge;
        /// What a proposer must have at stake, in wei.
        uint256 bond;
        /// Burned by a forced request, in wei.
        uint256 requestFee;
        /// In seconds: until a checkpoint is final,
        uint32 challengeWindow;
        /// until the ledger must have consumed an entry,
        uint32 requestPeriod;
        /// of silence until others than the operator may publish (with a judge),
        uint32 openAfter;
        /// and of silence until anybody may freeze.
        uint32 freezeAfter;
        /// Whether a checkpoint's data must come in blobs (`rollup`), or is only named (`anchored`).
        bool dataOnChain;
    }

    /// The last checkpoint, in one slot.
    struct Head {
        uint64 index;
        uint64 sequence;
        uint64 consumed;
        uint48 time;
        /// Whether the operator has what it takes at stake: here, so that publishing reads no more.
        bool bonded;
        bool frozen;
    }

    /// Where the bridge froze: the last final checkpoint.
    struct Frozen {
        uint64 index;
        uint64 consumed;
    }

    struct Bond {
        uint128 amount;
        /// When it may be taken back; zero while it counts.
        uint64 unlocksAt;
    }

    address public immutable operator;
    address public immutable judge;
    uint256 public immutable bondRequired;
    uint256 public immutable challengeWindow;
    uint256 public immutable requestPeriod;
    uint256 public immutable openAfter;
    uint256 public immutable freezeAfter;
    bool public immutable dataOnChain;

    Head public head;
    Frozen public frozenAt;
    mapping(uint64 index => bytes32) public checkpointHash;
    mapping(address proposer => Bond) public bonds;
    /// Stands for the blobs that wait for the next checkpoint; zero if none do.
    bytes32 public posted;

    event Published(uint64 indexed index, Checkpoint checkpoint);
    event Removed(uint64 indexed from, address proposer, address challenger, uint256 bond);
    event Froze(uint64 index, uint64 consumed);
    /// The blobs of a transaction, onto those that were posted before.
    event Posted(bytes32 indexed data, bytes32 onto, bytes32[] blobs);
    /// Of a checkpoint with data on chain: what its data commitment is the hash of.
    event Bound(uint64 indexed index, bytes32 commitment, bytes32 data);

    error BadBond();
    error BadCheckpoint();
    error BadData();
    error BadInboxHash();
    error IsFinal();
    error NotFinal();
    error NotFrozen();
    error NotOverdue();
    error NotProposer();
    error WrongMode();

    constructor(Terms memory terms, Asset[] memory list) Inbox(list, terms.requestFee) {
        if (terms.genesisRoot == 0 || terms.operator == address(0)) revert BadTerms();
        if (terms.challengeWindow == 0 || terms.requestPeriod == 0 || terms.openAfter == 0) revert BadTerms();
        if (terms.freezeAfter <= terms.openAfter || terms.bond > type(uint128).max) revert BadTerms();
        operator = terms.operator;
        judge = terms.judge;
        bondRequired = terms.bond;
        challengeWindow = terms.challengeWindow;
        requestPeriod = terms.requestPeriod;
        openAfter = terms.openAfter;
        freezeAfter = terms.freezeAfter;
        dataOnChain = terms.dataOnChain;
        head.time = uint48(block.timestamp);
        head.bonded = terms.bond == 0;
        // Time zero: the genesis is final from the start.
        Checkpoint memory genesis;
        genesis.stateRoot = terms.genesisRoot;
        checkpointHash[0] = hashOf(genesis);
        emit Published(0, genesis);
    }

    /// Publishes the next checkpoint. `inboxHash` is the chain hash after the entries that the ledger
    /// consumed: if this chain was reorganised since, it differs and the checkpoint is refused.
    function publish(
        uint64 sequence,
        uint64 consumed,
        bytes32 inboxHash,
        bytes32 stateRoot,
        bytes32 dataCommitment
    ) external whenLive {
        if (dataOnChain) revert WrongMode();
        _publish(sequence, consumed, inboxHash, stateRoot, dataCommitment);
    }

    /// Publishes the next checkpoint with its data: the blobs of this transaction, onto those that
    /// stand behind `onto` (zero: these are all). `commitment` is what `publish` would be given. Data
    /// tells what changed since the checkpoint before, so it is good as this `index` and no other.
    function publishWithBlobs(
        uint64 index,
        uint64 sequence,
        uint64 consumed,
        bytes32 inboxHash,
        bytes32 stateRoot,
        bytes32 commitment,
        bytes32 onto
    ) external whenLive {
        bytes32 data = _post(onto);
        if (onto != 0) posted = 0;
        if (index != head.index + 1) revert BadCheckpoint();
        _publish(sequence, consumed, inboxHash, stateRoot, keccak256(abi.encode(commitment, data)));
        emit Bound(index, commitment, data);
    }

    /// Brings blobs for the next checkpoint, if one transaction cannot carry all of them. `onto` is
    /// `posted` to go on, or zero to begin anew and leave what waits unused.
    function post(bytes32 onto) external whenLive {
        _checkProposer(head);
        posted = _post(onto);
    }

    /// What stands for the blobs of this transaction onto those before. The chain has checked that
    /// they are there; what they say, only who reads them can tell.
    function _post(bytes32 onto) private returns (bytes32 data) {
        if (!dataOnChain) revert WrongMode();
        if (onto != 0 && onto != posted) revert BadData();
        uint256 count = 0;
        while (blobhash(count) != 0) ++count;
        if (count == 0) revert BadData();
        bytes32[] memory blobs = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            blobs[i] = blobhash(i);
        }
        data = keccak256(abi.encode(onto, blobs));
        emit Posted(data, onto, blobs);
    }

    function _publish(
        uint64 sequence,
        uint64 consumed,
        bytes32 inboxHash,
        bytes32 stateRoot,
        bytes32 dataCommitment
    ) private {
        Head memory last = head;
        _checkProposer(last);
        if (sequence <= last.sequence || consumed < last.consumed || stateRoot == 0) revert BadCheckpoint();
        // No hash is zero but that of no entries, so this is about entries that there are.
        if (chainHash[consumed] != inboxHash || (inboxHash == 0 && consumed != 0)) revert BadInboxHash();
        Checkpoint memory it = Checkpoint({
            index: last.index + 1,
            sequence: sequence,
            consumed: consumed,
            time: uint64(block.timestamp),
            proposer: msg.sender,
            stateRoot: stateRoot,
            dataCommitment: dataCommitment
        });
        checkpointHash[it.index] = hashOf(it);
        head = Head(it.index, sequence, consumed, uint48(block.timestamp), last.bonded, false);
        emit Published(it.index, it);
    }

    /// Ends the ledger's say, for ever: an entry is overdue, or nothing was published for too long.
    /// The caller shows the last final checkpoint and, if there are later ones, the next after it;
    /// those are void.
    function freeze(Checkpoint calldata last, Checkpoint calldata next) external whenLive {
        Head memory now_ = head;
        if (!_isOverdue(now_)) revert NotOverdue();
        _checkFinal(last);
        if (last.index != now_.index) {
            if (next.index != last.index + 1) revert BadCheckpoint();
            _checkKnown(next);
            if (_isFinal(next)) revert IsFinal();
        }
        head.frozen = true;
        frozenAt = Frozen(last.index, last.consumed);
        emit Froze(last.index, last.consumed);
    }

    /// Puts ether at stake, which lets the sender publish when it is his turn.
    function addBond() external payable whenLive {
        Bond storage bond = bonds[msg.sender];
        if (bond.unlocksAt != 0) revert BadBond();
        bond.amount += uint128(msg.value);
        bondsTotal += msg.value;
        if (msg.sender == operator) head.bonded = bond.amount >= bondRequired;
    }

    /// Announces that a bond will be taken back. It counts no longer, and stays at stake until all
    /// that its owner published is final.
    function unlockBond() external {
        Bond storage bond = bonds[msg.sender];
        if (bond.amount == 0 || bond.unlocksAt != 0) revert BadBond();
        bond.unlocksAt = uint64(block.timestamp + challengeWindow);
        if (msg.sender == operator) head.bonded = false;
    }

    /// Takes an unlocked bond back.
    function takeBond() external nonReentrant {
        Bond memory bond = bonds[msg.sender];
        if (bond.unlocksAt == 0 || block.timestamp <= bond.unlocksAt) revert BadBond();
        delete bonds[msg.sender];
        bondsTotal -= bond.amount;
        _send(msg.sender, bond.amount);
    }

    /// The judge's verdict: a checkpoint that is not final is wrong. It and all after it are gone, and
    /// the bond goes to whoever showed it. `before` is the checkpoint that is the last one again.
    function remove(Checkpoint calldata wrong, Checkpoint calldata before, address challenger)
        external
        nonReentrant
        whenLive
    {
        if (msg.sender != judge) revert NotProposer();
        _checkKnown(wrong);
        _checkKnown(before);
        if (wrong.index == 0 || before.index + 1 != wrong.index) revert BadCheckpoint();
        if (_isFinal(wrong)) revert IsFinal();
        for (uint64 i = wrong.index; i <= head.index; ++i) {
            delete checkpointHash[i];
        }
        // The silence goes on from where it was: a wrong checkpoint does not end it.
        uint48 time = before.index == 0 ? head.time : uint48(before.time);
        bool bonded = head.bonded && wrong.proposer != operator;
        head = Head(before.index, before.sequence, before.consumed, time, bonded, false);
        uint256 amount = bonds[wrong.proposer].amount;
        delete bonds[wrong.proposer];
        bondsTotal -= amount;
        emit Removed(wrong.index, wrong.proposer, challenger, amount);
        _send(challenger, amount);
    }

    /// What is stored of a checkpoint.
    function hashOf(Checkpoint memory it) public pure returns (bytes32) {
        return keccak256(abi.encode(it));
    }

    /// Whether only exits are left.
    function frozen() public view override returns (bool) {
        return head.frozen;
    }

    /// Whether anybody may freeze now.
    function isOverdue() external view returns (bool) {
        return !head.frozen && _isOverdue(head);
    }

    function _isOverdue(Head memory last) private view returns (bool) {
        if (block.timestamp > last.time + freezeAfter) return true;
        return last.consumed < entryCount && block.timestamp > entryTime[last.consumed] + requestPeriod;
    }

    /// The operator, and with a judge anybody after a silence; each with a bond.
    function _checkProposer(Head memory last) private view {
        if (msg.sender == operator) {
            if (!last.bonded) revert BadBond();
            return;
        }
        Bond memory bond = bonds[msg.sender];
        if (bond.amount < bondRequired || bond.unlocksAt != 0) revert BadBond();
        if (judge == address(0) || block.timestamp <= last.time + openAfter) revert NotProposer();
    }

    function _checkKnown(Checkpoint calldata it) private view {
        // All its members are static, so in calldata it lies as `hashOf` encodes it; dirty upper bits
        // give another hash, which is none.
        bytes32 hash;
        assembly ("memory-safe") {
            let copy := mload(0x40)
            calldatacopy(copy, it, 224)
            hash := keccak256(copy, 224)
        }
        if (checkpointHash[it.index] != hash) revert BadCheckpoint();
    }

    function _isFinal(Checkpoint calldata it) private view returns (bool) {
        return block.timestamp > it.time + challengeWindow;
    }

    /// Fails unless this checkpoint is of this bridge and final. A freeze leaves one; whether there was
    /// one is returned.
    function _checkFinal(Checkpoint calldata it) internal view returns (bool isFrozen) {
        _checkKnown(it);
        isFrozen = head.frozen;
        if (isFrozen ? it.index != frozenAt.index : !_isFinal(it)) revert NotFinal();
    }
}
