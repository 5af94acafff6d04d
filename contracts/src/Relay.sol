// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

/// @title Read many things in one eth_call, at one block, and prove the answer whole.
/// @notice Never deployed. `Relay` is placed at an unused address by a code override; `RelayOnce`
/// is init code that reverts with the same answer, for nodes without overrides. Calls are static,
/// so a hostile callee cannot change what a later entry sees.
///
/// Input, packed, big-endian:
///   allowance u64 | floor u64 | registers u16 | addresses n u16 | datas m u16
///   n × address | (m + 1) × offset u32 | the datas, end to end | entries until the input ends
/// An entry begins with an op byte: low nibble kind, 0x80 hidden, 0x40 has words.
///   0 call        address u16, data u16
///   1 call        register u16, data u16: the address that an earlier call's word names
///   2 balance     address u16
///   3 code        address u16
///   4 storage     data u16 (the slot), of the account that the program was placed at
/// With 0x40 a call ends in: count u8, count × word u16. Each word of its answer goes to the next
/// register. A hidden entry that succeeds gives only its status.
///
/// Output: digest 32 | number u64 | timestamp u64 | parent hash 32 | gas at start u64 |
/// gas at end u64 | one answer per entry. The digest is keccak256(keccak256(input) ‖ the rest).
/// An answer is a status byte and, where said, data:
///   0 ok: length u32, bytes       1 ok: a zero word        2 ok: a word of 16 bytes
///   3 ok: a word of 32 bytes      4 reverted: length u32, bytes
///   5 no code                     6 starved: it may have failed for want of gas alone
///   7 not run: too little gas     8 ok, hidden
///   9 target word is zero        10 target word is no address
///  11 target word lies past the answer              12 the call naming the target failed
abstract contract Program {
    /// Run the input at memory [0x140, end). Memory is laid out by hand; nothing else may use it.
    function _run(uint256 end) internal view returns (uint256 from, uint256 size) {
        assembly {
            function u16(at) -> v { v := shr(240, mload(at)) }
            function u32(at) -> v { v := shr(224, mload(at)) }
            function u64(at) -> v { v := shr(192, mload(at)) }
            function addressAt(i) -> v { v := shr(96, mload(add(mload(0xc0), mul(20, i)))) }
            function put(status) {
                let out := mload(0xa0)
                mstore8(out, status)
                mstore(0xa0, add(out, 1))
            }
            function putWord(v) {
                let out := mload(0xa0)
                if iszero(v) {
                    mstore8(out, 1)
                    mstore(0xa0, add(out, 1))
                    leave
                }
                if iszero(shr(128, v)) {
                    mstore8(out, 2)
                    mstore(add(out, 1), shl(128, v))
                    mstore(0xa0, add(out, 17))
                    leave
                }
                mstore8(out, 3)
                mstore(add(out, 1), v)
                mstore(0xa0, add(out, 33))
            }
            function putLength(status, n) -> body {
                let out := mload(0xa0)
                mstore8(out, status)
                mstore(add(out, 1), shl(224, n))
                body := add(out, 5)
                mstore(0xa0, add(body, n))
            }
            // A register holds an address, or shl(160, why it holds none): 9, 10, 11 or 12.
            function setRegister(v) {
                let r := mload(0x80)
                mstore(r, v)
                mstore(0x80, add(r, 32))
            }
            function failRegisters(n) {
                for { } n { n := sub(n, 1) } { setRegister(shl(160, 12)) }
            }
            function takeWords(at, n) {
                for { } n { n := sub(n, 1) } {
                    let start := mul(32, u16(at))
                    at := add(at, 2)
                    switch lt(returndatasize(), add(start, 32))
                    case 1 { setRegister(shl(160, 11)) }
                    default {
                        returndatacopy(0, start, 32)
                        let v := mload(0)
                        if iszero(v) { v := shl(160, 9) }
                        if shr(160, mload(0)) { v := shl(160, 10) }
                        setRegister(v)
                    }
                }
            }
            function copyOut(status) {
                let n := returndatasize()
                let body := putLength(status, n)
                returndatacopy(body, 0, n)
            }
            function callOne(op, target, data, words, n) {
                if shr(160, target) {
                    put(shr(160, target))
                    failRegisters(n)
                    leave
                }
                let start := mload(add(mload(0xe0), mul(4, data)))
                let given := shr(6, mul(63, sub(gas(), shr(1, mload(0x40)))))
                if gt(given, mload(0x20)) { given := mload(0x20) }
                let before := gas()
                let ok := staticcall(
                    given,
                    target,
                    add(mload(0x100), shr(224, start)),
                    sub(and(shr(192, start), 0xffffffff), shr(224, start)),
                    0,
                    0
                )
                let used := sub(before, gas())
                // A failure that used half of what it was given, or a success that used three
                // quarters, may be of the gas's making, here or in a frame below.
                let starved := gt(mul(4, used), mul(add(2, ok), given))
                if lt(gas(), add(shr(1, mload(0x40)), mul(16, returndatasize()))) { starved := 1 }
                if starved {
                    put(6)
                    failRegisters(n)
                    leave
                }
                if iszero(ok) {
                    copyOut(4)
                    failRegisters(n)
                    leave
                }
                if iszero(returndatasize()) {
                    if iszero(extcodesize(target)) {
                        put(5)
                        failRegisters(n)
                        leave
                    }
                }
                takeWords(words, n)
                if and(op, 0x80) {
                    put(8)
                    leave
                }
                if eq(returndatasize(), 32) {
                    returndatacopy(0, 0, 32)
                    putWord(mload(0))
                    leave
                }
                copyOut(0)
            }

            {
                let input := 0x140
                mstore(0x20, u64(input))
                mstore(0x40, u64(add(input, 8)))
                let addresses := add(input, 22)
                let offsets := add(addresses, mul(20, u16(add(input, 18))))
                mstore(0xc0, addresses)
                mstore(0xe0, offsets)
                mstore(0x100, add(offsets, mul(4, add(1, u16(add(input, 20))))))
                mstore(0x60, add(end, 64))
                mstore(0x80, add(end, 64))
                from := add(add(end, 64), mul(32, u16(add(input, 16))))
                mstore(from, keccak256(input, sub(end, input)))
                mstore(add(from, 32), shl(192, number()))
                mstore(add(from, 40), shl(192, timestamp()))
                mstore(add(from, 48), blockhash(sub(number(), 1)))
                mstore(add(from, 80), shl(192, gas()))
                mstore(0xa0, add(from, 96))
            }
            let cursor := mload(0x100)
            cursor := add(cursor, u32(sub(cursor, 4)))
            for { } lt(cursor, end) { } {
                let op := byte(0, mload(cursor))
                let x := u16(add(cursor, 1))
                cursor := add(cursor, 3)
                let enough := iszero(lt(gas(), mload(0x40)))
                switch gt(and(op, 0x0f), 1)
                case 0 {
                    let data := u16(cursor)
                    cursor := add(cursor, 2)
                    let n := 0
                    if and(op, 0x40) {
                        n := byte(0, mload(cursor))
                        cursor := add(cursor, 1)
                    }
                    switch enough
                    case 0 {
                        put(7)
                        failRegisters(n)
                    }
                    default {
                        let target
                        switch and(op, 0x0f)
                        case 0 { target := addressAt(x) }
                        default { target := mload(add(mload(0x60), mul(32, x))) }
                        callOne(op, target, data, cursor, n)
                    }
                    cursor := add(cursor, mul(2, n))
                }
                default {
                    switch mul(enough, and(op, 0x0f))
                    case 0 { put(7) }
                    case 2 { putWord(balance(addressAt(x))) }
                    case 3 {
                        let account := addressAt(x)
                        let n := extcodesize(account)
                        let body := putLength(0, n)
                        extcodecopy(account, body, 0, n)
                    }
                    case 4 {
                        let at := u32(add(mload(0xe0), mul(4, x)))
                        putWord(sload(mload(add(mload(0x100), at))))
                    }
                    default { revert(0, 0) }
                }
            }
            mstore(0, shl(192, gas()))
            // The parent hash takes 32 bytes at 48; gas at start 8 at 80; gas at end 8 at 88.
            for { let i := 0 } lt(i, 8) { i := add(i, 1) } {
                mstore8(add(add(from, 88), i), byte(i, mload(0)))
            }
            size := sub(mload(0xa0), from)
            mstore(from, keccak256(from, size))
        }
    }
}

/// For a code override: answers by returning.
contract Relay is Program {
    fallback() external payable {
        uint256 end;
        assembly {
            calldatacopy(0x140, 0, calldatasize())
            end := add(0x140, calldatasize())
        }
        (uint256 from, uint256 size) = _run(end);
        assembly {
            return(from, size)
        }
    }
}

/// Init code: the input follows it, then the input's length u32; answers by reverting, because
/// what a constructor returns is bounded by the limit on deployed code.
contract RelayOnce is Program {
    constructor() payable {
        uint256 end;
        assembly {
            codecopy(0, sub(codesize(), 4), 4)
            let size := shr(224, mload(0))
            codecopy(0x140, sub(sub(codesize(), 4), size), size)
            end := add(0x140, size)
        }
        (uint256 from, uint256 size) = _run(end);
        assembly {
            revert(from, size)
        }
    }
}
