// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// Where an account record and its siblings lead to: docs/STATE_TREE.md, byte for byte.
///
/// The record is put together here from its parts, so its tag and its length are never the prover's
/// to choose; the position comes from the account in the record, so a record proves nothing in
/// another place.
library StateTree {
    /// ASCII `keelacc1`, in the upper eight bytes of the first word.
    uint256 private constant TAG = uint256(0x6b65656c61636331) << 192;
    /// A record whose words do not come in pairs could be as long as an inner node.
    error OddRecord();

    /// The root that `account` with this owner and these words has under these siblings.
    function root(uint32 account, address owner, uint256[] calldata words, bytes32[32] calldata siblings)
        internal
        view
        returns (bytes32 node)
    {
        if (words.length % 2 != 0) revert OddRecord();
        uint256 head = TAG | (uint256(account) << 160) | uint160(owner);
        uint256 path = account;
        assembly ("memory-safe") {
            // The record lies beyond the free pointer, which is not moved: nobody needs it later.
            let record := mload(0x40)
            let size := shl(5, words.length)
            mstore(record, head)
            calldatacopy(add(record, 32), words.offset, size)
            // A node takes the place of the left child for an even index, else of the right one, and
            // its sibling the other. Both lie in scratch space, where each hash is put at once where
            // the next one wants it: bit 5 of the path, which is shifted so, is its place there.
            path := shl(5, path)
            let place := and(path, 32)
            // Address 2 is SHA-256. It cannot fail but for want of gas, and then all of this does.
            let hashed := staticcall(gas(), 2, record, add(size, 32), place, 32)
            let end := add(siblings, 1024)
            // Two levels a turn, for turns cost too.
            for { let sibling := siblings } lt(sibling, end) { sibling := add(sibling, 64) } {
                mstore(xor(place, 32), calldataload(sibling))
                place := and(shr(1, path), 32)
                hashed := and(hashed, staticcall(gas(), 2, 0, 64, place, 32))
                mstore(xor(place, 32), calldataload(add(sibling, 32)))
                path := shr(2, path)
                place := and(path, 32)
                hashed := and(hashed, staticcall(gas(), 2, 0, 64, place, 32))
            }
            if iszero(hashed) { revert(0, 0) }
            // No account has more than 32 bits, so the root has the place of a left child.
            node := mload(0)
        }
    }
}
