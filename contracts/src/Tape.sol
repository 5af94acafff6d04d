// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

// What all lenses share: packed input, packed output, guarded reads, and the ways to be run.
// A lens is never deployed. It is placed at an unused address by a code override and answers by
// returning, or it is init code and answers by reverting, because what a constructor returns is
// bounded by the limit on deployed code.

/// The output in the making: memory from `from` to `out`. Nothing may be allocated meanwhile.
struct Tape {
    uint256 from;
    uint256 out;
    uint256 floor; // gas that must be left whenever a read is begun
    uint256 gasAtStart;
    uint256 gasAtItems; // when all that does not depend on the items was done
    uint256 done; // items; for the others gas ran short
}

uint256 constant OK = 0;
uint256 constant TOO_WIDE = 2;
uint256 constant TOO_SHORT = 3;
uint256 constant STARVED = 4;
uint256 constant NOT_BEGUN = 5;

// Bytes of the output before what is the lens's own:
// digest 32 | number u64 | timestamp u64 | parent hash 32 | gas at start u64
// | gas when the items began u64 | gas at end u64 | items done u32.
uint256 constant HEAD = 108;

/// Begin the output at the end of what is allocated, `reserved` bytes after the head.
function begin(Tape memory tape, uint256 reserved) pure {
    uint256 at;
    assembly ("memory-safe") {
        at := mload(0x40)
    }
    tape.from = at;
    tape.out = at + HEAD + reserved;
}

/// Fill the head in; the digest is sha256(sha256(input) ‖ the rest).
function finish(Tape memory tape, bytes memory input) view returns (uint256 from, uint256 size) {
    from = tape.from;
    size = tape.out - from;
    overwrite(from + 32, block.number, 8);
    overwrite(from + 40, block.timestamp, 8);
    overwrite(from + 48, uint256(blockhash(block.number - 1)), 32);
    overwrite(from + 80, tape.gasAtStart, 8);
    overwrite(from + 88, tape.gasAtItems, 8);
    overwrite(from + 104, tape.done, 4);
    overwrite(from + 96, gasleft(), 8);
    assembly ("memory-safe") {
        // The precompile cannot fail but for want of gas, and then all of this does.
        if iszero(staticcall(gas(), 2, add(input, 32), mload(input), from, 32)) { revert(0, 0) }
        if iszero(staticcall(gas(), 2, from, size, from, 32)) { revert(0, 0) }
    }
}

/// Return the gas that must be left for a read that is given so much to be begun.
function needed(Tape memory tape, uint256 given) pure returns (uint256 need) {
    assembly ("memory-safe") {
        // The digest costs less than half a gas per byte written.
        need := shr(1, sub(mload(add(tape, 32)), mload(tape)))
        need := add(add(need, mload(add(tape, 64))), add(given, shr(5, given)))
    }
}

/// Whether a read that is given so much gas may be begun.
function affords(Tape memory tape, uint256 given) view returns (bool) {
    return gasleft() >= needed(tape, given);
}

/// Ask `target` for one word about `who`, with `given` gas.
function ask(Tape memory tape, uint256 given, address target, bytes4 selector, address who)
    view
    returns (uint256 status, uint256 value)
{
    assembly ("memory-safe") {
        mstore(0, selector)
        mstore(4, who)
    }
    return askWith(tape, given, target, 0, 36);
}

/// Ask `target` for one word with the `size` bytes of call data at `at`, with `given` gas.
function askWith(Tape memory tape, uint256 given, address target, uint256 at, uint256 size)
    view
    returns (uint256 status, uint256 value)
{
    uint256 need = needed(tape, given);
    assembly ("memory-safe") {
        switch lt(gas(), need)
        case 1 { status := NOT_BEGUN }
        default {
            let used := gas()
            let ok := staticcall(given, target, at, size, 0, 32)
            used := sub(used, gas())
            // A failure that used half of what it was given, or a success that used three
            // quarters, may be of the gas's making, here or in a frame below.
            switch gt(mul(4, used), mul(add(2, ok), given))
            case 1 { status := STARVED }
            default {
                switch and(ok, gt(returndatasize(), 31))
                case 1 { value := mload(0) }
                default {
                    status := 1
                    if ok { status := TOO_SHORT }
                }
            }
        }
    }
}

/// Return `size` bytes of the input at `at`.
function take(bytes memory input, uint256 at, uint256 size) pure returns (uint256 value) {
    assembly ("memory-safe") {
        value := shr(sub(256, mul(8, size)), mload(add(add(input, 32), at)))
    }
}

function takeAddress(bytes memory input, uint256 at) pure returns (address) {
    return address(uint160(take(input, at, 20)));
}

/// Append the low `size` bytes of a value; what follows them in memory is lost.
function put(Tape memory tape, uint256 value, uint256 size) pure {
    assembly ("memory-safe") {
        let out := mload(add(tape, 32))
        mstore(out, shl(sub(256, shl(3, size)), value))
        mstore(add(tape, 32), add(out, size))
    }
}

/// Write the low `size` bytes of a value in the midst of what is written.
function overwrite(uint256 at, uint256 value, uint256 size) pure {
    assembly ("memory-safe") {
        let kept := shr(mul(8, size), not(0))
        mstore(at, or(and(mload(at), kept), shl(sub(256, mul(8, size)), value)))
    }
}

abstract contract Program {
    /// Run the input and return where the output is in memory.
    function _run(bytes memory input) internal view virtual returns (uint256 from, uint256 size);
}

/// For a code override.
abstract contract Placed is Program {
    fallback() external payable {
        (uint256 from, uint256 size) = _run(msg.data);
        assembly {
            return(from, size)
        }
    }
}

/// Init code: the input follows it, then the input's length u32.
abstract contract Once is Program {
    constructor() payable {
        bytes memory input;
        assembly ("memory-safe") {
            codecopy(0, sub(codesize(), 4), 4)
            let length := shr(224, mload(0))
            input := mload(0x40)
            mstore(input, length)
            codecopy(add(input, 32), sub(sub(codesize(), 4), length), length)
            mstore(0x40, add(input, and(add(length, 95), not(31))))
        }
        (uint256 from, uint256 size) = _run(input);
        assembly {
            revert(from, size)
        }
    }
}
