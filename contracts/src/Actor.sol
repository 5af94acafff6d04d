// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

/// @title Do what an account would do, in one eth_call, and tell what came of each call.
/// @notice Never deployed. Placed by a code override at the address of an account that has no code
/// of its own, so that the calls it makes are that account's. Several accounts act in turn by one
/// of them calling the others, each with this program at its address.
///
/// Input, packed, big-endian: mark 32, then entries until the input ends:
///   target address 20 | value 32 | gas u64 (0: all there is) | data length u32 | data
/// Output: digest 32 | keccak256(input) 32 | one answer per entry:
///   ok u8 | gas used u64 | length u32 | what was returned, or the reason
/// The digest is keccak256 over the rest of the output. A call that fails does not end the rest.
///
/// Any data that does not begin with the mark is of somebody calling an account without code: it gets
/// its own selector back, which is how those who hand over a token ask whether it is welcome.
contract Actor {
    fallback() external payable {
        assembly {
            // keccak256("underkeel.actor")
            let mark := 0xbd0512316f8bdeab217f0719158f6e0e57e9b547037d11719eec1224537db5bc
            if iszero(eq(calldataload(0), mark)) {
                mstore(0, shl(224, shr(224, calldataload(0))))
                return(0, mul(32, gt(calldatasize(), 3)))
            }
            calldatacopy(0xc0, 0, calldatasize())
            mstore(0xa0, keccak256(0xc0, calldatasize()))
            let out := 0xc0
            for { let at := 32 } lt(at, calldatasize()) { } {
                let target := shr(96, calldataload(at))
                let value := calldataload(add(at, 20))
                let given := shr(192, calldataload(add(at, 52)))
                let size := shr(224, calldataload(add(at, 60)))
                calldatacopy(out, add(at, 64), size) // overwritten by the answer
                at := add(add(at, 64), size)
                if iszero(given) { given := gas() }
                let before := gas()
                let ok := call(given, target, value, out, size, 0, 0)
                let used := sub(before, gas())
                mstore8(out, ok)
                mstore(add(out, 1), shl(192, used))
                mstore(add(out, 9), shl(224, returndatasize()))
                returndatacopy(add(out, 13), 0, returndatasize())
                out := add(add(out, 13), returndatasize())
            }
            mstore(0x80, keccak256(0xa0, sub(out, 0xa0)))
            return(0x80, sub(out, 0x80))
        }
    }
}
