// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import { OK, Program, TOO_SHORT, TOO_WIDE, Tape, askWith, overwrite, put } from "./Tape.sol";

/// Make the calls of the Uniswap lens, and write their answers down. A word over its type makes
/// an answer none. The answers there are many of are taken apart without a loop.
abstract contract UniswapAnswers is Program {
    /// Bytes of an NFT's answers, with their status.
    uint256 internal constant POSITIONS_SIZE = 119;
    uint256 internal constant ACCOUNT_SIZE = 113;
    uint256 internal constant TICK_SIZE = 66;
    uint256 internal constant MOST_TEXT = 512;

    struct Found {
        address token0;
        address token1;
        uint256 fee;
        uint256 status;
        address pool;
        uint256 burnt;
    }

    struct Run {
        Tape tape;
        uint256 allowance;
        uint256 window;
        address manager;
        address factory;
        uint256 item;
        uint256 nfts;
        uint256 pools;
        uint256 tokens;
        uint256 burnt; // by the manager
        uint256[12] words; // of the last answer
        uint256[5] data; // of the next call
    }

    /// Write an answer of `ticks` or of the pool's `positions`; a word over its type is none.
    function _kept(Run memory run, uint256 status, bool tick) internal pure {
        uint256[12] memory words = run.words;
        uint256 out = run.tape.out + 1;
        uint256 wide;
        assembly ("memory-safe") {
            switch tick
            case 0 {
                let owed0 := mload(add(words, 96))
                let owed1 := mload(add(words, 128))
                wide := shr(128, or(mload(words), or(owed0, owed1)))
                mstore(out, shl(128, mload(words)))
                mstore(add(out, 16), mload(add(words, 32)))
                mstore(add(out, 48), mload(add(words, 64)))
                mstore(add(out, 80), shl(128, owed0))
                mstore(add(out, 96), shl(128, owed1))
            }
            default {
                let net := mload(add(words, 32))
                let cumulative := mload(add(words, 128))
                wide := or(shr(128, mload(words)), xor(net, signextend(15, net)))
                wide := or(wide, xor(cumulative, signextend(6, cumulative)))
                wide := or(wide, shr(160, mload(add(words, 160))))
                wide := or(wide, shr(32, mload(add(words, 192))))
                wide := or(wide, shr(1, mload(add(words, 224))))
                mstore(out, mload(add(words, 64)))
                mstore(add(out, 32), mload(add(words, 96)))
                mstore8(add(out, 64), mload(add(words, 224)))
            }
        }
        _written(run.tape, status, wide, tick ? TICK_SIZE : ACCOUNT_SIZE);
    }

    /// Make the call of the manager's `positions` and write the answer, from the ticks on.
    function _positions(Run memory run) internal view returns (uint256 status) {
        status = _asked(run, run.manager, 36, 12);
        uint256[12] memory words = run.words;
        uint256 out = run.tape.out + 1;
        uint256 wide;
        assembly ("memory-safe") {
            let lower := mload(add(words, 160))
            let upper := mload(add(words, 192))
            let liquidity := mload(add(words, 224))
            let owed0 := mload(add(words, 320))
            let owed1 := mload(add(words, 352))
            wide := or(shr(96, mload(words)), shr(24, mload(add(words, 128))))
            let addresses := or(mload(add(words, 64)), mload(add(words, 96)))
            wide := or(wide, shr(160, or(mload(add(words, 32)), addresses)))
            wide := or(wide, xor(lower, signextend(2, lower)))
            wide := or(wide, xor(upper, signextend(2, upper)))
            wide := or(wide, shr(128, or(liquidity, or(owed0, owed1))))
            mstore(out, shl(232, lower))
            mstore(add(out, 3), shl(232, upper))
            mstore(add(out, 6), shl(128, liquidity))
            mstore(add(out, 22), mload(add(words, 256)))
            mstore(add(out, 54), mload(add(words, 288)))
            mstore(add(out, 86), shl(128, owed0))
            mstore(add(out, 102), shl(128, owed1))
        }
        return _written(run.tape, status, wide, POSITIONS_SIZE);
    }

    /// Note the status of an answer whose words are already there; blank them where it is none.
    function _written(Tape memory tape, uint256 status, uint256 wide, uint256 size)
        internal
        pure
        returns (uint256)
    {
        if (status == OK && wide != 0) status = TOO_WIDE;
        uint256 out = tape.out;
        assembly ("memory-safe") {
            mstore8(out, status)
            if status { calldatacopy(add(out, 1), calldatasize(), sub(size, 1)) }
        }
        tape.out = out + size;
        return status;
    }

    /// Make the call that is laid out in `run.data`; leave so many words in `run.words`.
    function _asked(Run memory run, address target, uint256 size, uint256 count)
        internal
        view
        returns (uint256 status)
    {
        (status,) = askWith(run.tape, run.allowance, target, _data(run), size);
        uint256[12] memory words = run.words;
        assembly ("memory-safe") {
            if iszero(status) {
                status := TOO_SHORT
                if iszero(lt(returndatasize(), shl(5, count))) {
                    status := OK
                    returndatacopy(words, 0, shl(5, count))
                }
            }
        }
    }

    /// Write a short answer as it is.
    function _text(Run memory run, address target, bytes4 selector) internal view {
        Tape memory tape = run.tape;
        _selector(run, selector);
        uint256 at = _data(run);
        (uint256 status,) = askWith(tape, run.allowance, target, at, 4);
        uint256 size;
        uint256 out = tape.out + 3;
        if (status == OK) {
            assembly ("memory-safe") {
                size := returndatasize()
            }
            if (size > MOST_TEXT) (status, size) = (TOO_WIDE, 0);
        }
        put(tape, status << 16 | size, 3);
        assembly ("memory-safe") {
            returndatacopy(out, 0, size)
        }
        tape.out = out + size;
    }

    /// Make the call that is laid out in `run.data`; leave its words in `run.words`, and write
    /// the status and those that are kept where `written`. A word over its type is no answer.
    function _answer(Run memory run, address target, uint256 size, bytes32 shape, bool written)
        internal
        view
        returns (uint256 status)
    {
        Tape memory tape = run.tape;
        uint256 count = uint8(shape[0]);
        status = _asked(run, target, size, count);
        uint256[12] memory words = run.words;
        uint256 out = tape.out + 1;
        assembly ("memory-safe") {
            let wide := 0
            for { let i := 1 } iszero(gt(i, count)) { i := add(i, 1) } {
                let word := 0
                if iszero(status) { word := mload(add(words, shl(5, sub(i, 1)))) }
                let kind := byte(i, shape)
                let bits := shl(3, and(kind, 0x3f))
                if iszero(bits) { bits := 1 }
                switch and(kind, 0x40)
                case 0 { wide := or(wide, shr(bits, word)) }
                default { wide := or(wide, xor(word, signextend(sub(shr(3, bits), 1), word))) }
                if and(kind, 0x80) {
                    let width := shr(3, add(bits, 7))
                    mstore(out, shl(sub(256, shl(3, width)), word))
                    out := add(out, width)
                }
            }
            if wide {
                status := TOO_WIDE
                let begun := add(mload(add(tape, 32)), 1)
                calldatacopy(begun, calldatasize(), sub(out, begun))
            }
        }
        if (!written) return status;
        overwrite(tape.out, status, 1);
        tape.out = out;
    }

    /// Write zeros up to a place.
    function _blank(Tape memory tape, uint256 end) internal pure {
        uint256 out = tape.out;
        assembly ("memory-safe") {
            calldatacopy(out, calldatasize(), sub(end, out))
        }
        tape.out = end;
    }

    function _data(Run memory run) internal pure returns (uint256 at) {
        uint256[5] memory data = run.data;
        assembly ("memory-safe") {
            at := data
        }
    }

    function _selector(Run memory run, bytes4 selector) internal pure {
        uint256 at = _data(run);
        assembly ("memory-safe") {
            mstore(at, selector)
        }
    }

    function _argument(Run memory run, uint256 place, uint256 value) internal pure {
        uint256 at = _data(run) + 4 + 32 * place;
        assembly ("memory-safe") {
            mstore(at, value)
        }
    }
}

interface IManager {
    function factory() external view returns (address);
    function balanceOf(address owner) external view returns (uint256);
    function tokenOfOwnerByIndex(address owner, uint256 index) external view returns (uint256);
    function positions(uint256 tokenId)
        external
        view
        returns (
            uint96 nonce, address operator, address token0, address token1, uint24 fee,
            int24 tickLower, int24 tickUpper, uint128 liquidity, uint256 feeGrowthInside0LastX128,
            uint256 feeGrowthInside1LastX128, uint128 tokensOwed0, uint128 tokensOwed1
        );
}

interface IFactory {
    function getPool(address a, address b, uint24 fee) external view returns (address);
}

interface IPool {
    function slot0()
        external
        view
        returns (uint160, int24, uint16, uint16, uint16, uint32, bool);
    function feeGrowthGlobal0X128() external view returns (uint256);
    function feeGrowthGlobal1X128() external view returns (uint256);
    function liquidity() external view returns (uint128);
    function observe(uint32[] calldata secondsAgos)
        external
        view
        returns (int56[] memory, uint160[] memory);
    function ticks(int24 tick)
        external
        view
        returns (uint128, int128, uint256, uint256, int56, uint160, uint32, bool);
    function positions(bytes32 key)
        external
        view
        returns (uint128, uint256, uint256, uint128, uint128);
}

interface IToken {
    function name() external view returns (string memory);
    function symbol() external view returns (string memory);
    function decimals() external view returns (uint8);
}
