// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

/// Call data as a selector and argument words.
library Words {
    function selector(bytes memory data) internal pure returns (bytes4 value) {
        if (data.length < 4) return 0;
        assembly ("memory-safe") {
            value := and(mload(add(data, 32)), shl(224, 0xffffffff))
        }
    }

    /// Whether the data has the words 0 to i.
    function reaches(bytes memory data, uint256 i) internal pure returns (bool) {
        return i < type(uint64).max && data.length >= 36 + 32 * i;
    }

    /// The i-th argument word; only after `reaches`.
    function word(bytes memory data, uint256 i) internal pure returns (bytes32 value) {
        assembly ("memory-safe") {
            value := mload(add(add(data, 36), mul(32, i)))
        }
    }

    function setWord(bytes memory data, uint256 i, uint256 value) internal pure {
        assembly ("memory-safe") {
            mstore(add(add(data, 36), mul(32, i)), value)
        }
    }

    /// Whether the i-th word is there and is exactly this address, without dirt above it.
    function isAddress(bytes memory data, uint256 i, address who) internal pure returns (bool) {
        return reaches(data, i) && word(data, i) == bytes32(uint256(uint160(who)));
    }

    /// Whether the i-th word is there and is one of two addresses.
    function isEither(bytes memory data, uint256 i, address one, address other)
        internal
        pure
        returns (bool)
    {
        return isAddress(data, i, one) || isAddress(data, i, other);
    }
}
