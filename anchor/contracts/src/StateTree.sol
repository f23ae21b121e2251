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
        assembly ("memory-safe") {
            // The record lies beyond the free pointer, which is not moved: nobody needs it later.
            let record := mload(0x40)
            let size := shl(5, words.length)
            mstore(record, head)
            calldatacopy(add(record, 32), words.offset, size)
            // Address 2 is SHA-256. It cannot fail but for want of gas, and then all of this does.
            if iszero(staticcall(gas(), 2, record, add(size, 32), 0, 32)) { revert(0, 0) }
            // A node takes the place of the left child for an even index, else of the right one,
            // and its sibling the other. Both lie in scratch space.
            let index := account
            node := mload(0)
            for { let height := 0 } lt(height, 32) { height := add(height, 1) } {
                let place := shl(5, and(index, 1))
                mstore(place, node)
                mstore(xor(place, 32), calldataload(add(siblings, shl(5, height))))
                if iszero(staticcall(gas(), 2, 0, 64, 0, 32)) { revert(0, 0) }
                node := mload(0)
                index := shr(1, index)
            }
        }
    }
}
