// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {
    HEAD, NOT_BEGUN, OK, Once, Placed, STARVED, TOO_WIDE, Tape,
    begin, finish, overwrite, put, take, takeAddress
} from "./Tape.sol";
import { IFactory, IManager, IPool, IToken, UniswapAnswers } from "./UniswapLensAnswers.sol";

/// @title Read the Uniswap v3 positions of many owners, and the pools behind them, in one eth_call.
/// @notice Only public functions are called, all of them statically; whatever fails marks its own
/// cell. How it is run, and the head of its output: Tape.sol.
///
/// Input, packed, big-endian:
///   allowance u32 | floor u32 | window u32 | position manager | items, 26 bytes each, to the end
///   item: owner | first u32 | count u16: the owner's NFTs by index, so many from the first on
/// A call gets `allowance` gas; none is begun unless that and `floor` are left. `window` is how
/// many seconds `observe` looks back.
///
/// Output, after the head. An answer is a status u8 and then the words of it that are kept, each
/// in as many bytes as its type has, big-endian; zeros where the status is not 0:
///   NFTs n u32 | pools p u16 | tokens t u16
///   one row per item: status u8 | more u8 | balance u64
///   n × ( item u32 | index u32 | status u8 | id u64 | pool u16 | positions(id): tickLower …
///         tokensOwed1 | pool.positions(of the manager's range): all five
///         | pool.ticks(lower) | pool.ticks(upper): both fee growths outside, initialized )
///   p × ( getPool: pool | place of token0 u16 | of token1 u16 | fee u24 | slot0: price, tick
///         | feeGrowthGlobal0X128 | feeGrowthGlobal1X128 | liquidity
///         | observe: 5 words, of the two lists' offsets and lengths u8, of the first's items 7 )
///   factory | name
///   t × ( address | symbol | decimals ), these and the name: status u8 | size u16 | the answer
/// Only the rows of items done mean anything; gas ran short for the others. NFTs without
/// liquidity that are owed nothing have no row. `more` is not 0 where there may be an NFT past
/// the balance.
///   status 0 ok   1 reverted   2 a word is over its type, an id or a balance over 64 bits, or an
///          answer over 512 bytes   3 too short an answer   4 it may have failed for want of gas
///          alone, or others of its pool did   5 there was not enough gas to begin it
abstract contract UniswapProgram is UniswapAnswers {
    /// Shapes of answers: how many words, then of each the bytes of its type, 0 for a bool,
    /// and whether it is signed and whether it is kept.
    ///   SIGNED 0x40   KEPT 0x80
    bytes32 private constant FACTORY = hex"0194";
    bytes32 private constant NUMBER = hex"01a0";
    bytes32 private constant POOL = hex"0194";
    bytes32 private constant SLOT0 = hex"0794c30202020400";
    bytes32 private constant GROWTH = hex"01a0";
    bytes32 private constant LIQUIDITY = hex"0190";
    bytes32 private constant OBSERVE = hex"08818181c7c7811414";

    uint256 private constant ITEM = 26;
    uint256 private constant OWN_HEAD = 8;
    uint256 private constant ITEM_ROW = 10;
    uint256 private constant NFT_ROW = 383;
    uint256 private constant NO_POOL = 0xffff;
    uint256 private constant MOST_POOLS = 256;
    uint256 private constant SLOTS = 1024; // of the table of pools, a power of two
    uint256 private constant POOL_WORDS = 6;
    uint256 private constant POOL_GAS = 250_000; // kept for what a pool and its tokens are asked
    /// Failures that took much gas after which a pool is not asked any more.
    uint256 private constant PATIENCE = 2;

    function _run(bytes memory input) internal view override returns (uint256 from, uint256 size) {
        Run memory run;
        Tape memory tape = run.tape;
        tape.gasAtStart = gasleft();
        run.allowance = take(input, 0, 4);
        uint256 floor = take(input, 4, 4);
        run.window = take(input, 8, 4);
        run.manager = takeAddress(input, 12);
        Found[] memory found = _room();
        uint256[] memory table = new uint256[](SLOTS);
        address[] memory tokens = new address[](2 * MOST_POOLS);
        begin(tape, OWN_HEAD);
        tape.floor = floor;
        _selector(run, IManager.factory.selector);
        if (_answer(run, run.manager, 4, FACTORY, false) == OK) run.factory = address(uint160(run.words[0]));

        // What follows the items must find gas enough whatever they leave.
        tape.floor = floor + run.allowance;
        tape.gasAtItems = gasleft();
        tape.done = _items(run, found, table, input);
        tape.floor = floor;
        for (uint256 i; i < run.pools; ++i) _pool(run, found[i], tokens);
        _selector(run, IManager.factory.selector);
        _answer(run, run.manager, 4, FACTORY, true);
        _text(run, run.manager, IToken.name.selector);
        for (uint256 i; i < run.tokens; ++i) {
            put(tape, uint160(tokens[i]), 20);
            _text(run, tokens[i], IToken.symbol.selector);
            _text(run, tokens[i], IToken.decimals.selector);
        }
        overwrite(tape.from + HEAD, run.nfts << 32 | run.pools << 16 | run.tokens, 8);
        return finish(tape, input);
    }

    /// Read the items, and return of how many there was enough gas to read all.
    function _items(
        Run memory run, Found[] memory found, uint256[] memory table, bytes memory input
    ) private view returns (uint256 done) {
        Tape memory tape = run.tape;
        uint256 rows = tape.out;
        uint256 count = (input.length - 32) / ITEM;
        tape.out += ITEM_ROW * count;
        for (; done < count; ++done) {
            (uint256 out, uint256 nfts, uint256 pools) = (tape.out, run.nfts, run.pools);
            run.item = done;
            if (!_item(run, found, table, input, rows + ITEM_ROW * done)) {
                (tape.out, run.nfts, run.pools) = (out, nfts, pools);
                break;
            }
        }
    }

    /// Read one item. False: the gas left is too little, or the pools are too many, to do it whole.
    function _item(
        Run memory run, Found[] memory found, uint256[] memory table, bytes memory input, uint256 row
    ) private view returns (bool) {
        uint256 at = 32 + ITEM * run.item;
        address owner = takeAddress(input, at);
        uint256 first = take(input, at + 20, 4);
        uint256 end = first + take(input, at + 24, 2);
        _selector(run, IManager.balanceOf.selector);
        _argument(run, 0, uint160(owner));
        uint256 status = _answer(run, run.manager, 36, NUMBER, false);
        if (status == NOT_BEGUN) return false;
        uint256 balance = status == OK ? run.words[0] : 0;
        if (balance >> 64 != 0) (status, balance) = (TOO_WIDE, 0);
        uint256 more;
        if (balance < end && first == 0 && status == OK) {
            more = _tokenOf(run, owner, balance);
            if (more == NOT_BEGUN) return false;
            more = more == 1 ? 0 : 1;
        }
        overwrite(row, status << 72 | more << 64 | balance, ITEM_ROW);
        if (end > balance) end = balance;
        for (uint256 i = first; i < end; ++i) {
            if (!_nft(run, found, table, owner, i)) return false;
        }
        return true;
    }

    function _tokenOf(Run memory run, address owner, uint256 index) private view returns (uint256) {
        _selector(run, IManager.tokenOfOwnerByIndex.selector);
        _argument(run, 0, uint160(owner));
        _argument(run, 1, index);
        return _answer(run, run.manager, 68, NUMBER, false);
    }

    /// Read one NFT. False: too little gas, or no room for its pool.
    function _nft(
        Run memory run, Found[] memory found, uint256[] memory table, address owner, uint256 index
    ) private view returns (bool) {
        Tape memory tape = run.tape;
        uint256 start = tape.out;
        uint256 status = STARVED;
        if (run.burnt < PATIENCE) status = _tokenOf(run, owner, index);
        if (status == NOT_BEGUN) return false;
        uint256 id = status == OK ? run.words[0] : 0;
        if (id >> 64 != 0) (status, id) = (TOO_WIDE, 0);
        put(tape, run.item << 32 | index, 8);
        put(tape, status << 64 | id, 9);
        put(tape, NO_POOL, 2);
        ++run.nfts;
        if (status == OK) {
            _selector(run, IManager.positions.selector);
            _argument(run, 0, id);
            status = _positions(run);
            if (status == NOT_BEGUN) return false;
        }
        if (status == STARVED) ++run.burnt;
        if (status == OK) {
            uint256[12] memory words = run.words;
            if (words[7] | words[10] | words[11] == 0) {
                tape.out = start;
                --run.nfts;
                return true;
            }
            uint256 place = _place(run, found, table);
            if (place == MOST_POOLS) return false;
            overwrite(start + 17, place, 2);
            Found memory pool = found[place];
            if (pool.status == OK && pool.pool != address(0)) {
                // The words are overwritten by each answer.
                if (!_range(run, pool, words[5], words[6])) return false;
            }
        }
        _blank(tape, start + NFT_ROW);
        return true;
    }

    /// Read what the pool keeps of a range. False: too little gas.
    function _range(Run memory run, Found memory pool, uint256 lower, uint256 upper)
        private
        view
        returns (bool)
    {
        bytes32 key;
        address manager = run.manager;
        assembly ("memory-safe") {
            mstore(0, shl(96, manager))
            mstore(20, shl(232, lower))
            mstore(23, shl(232, upper))
            key := keccak256(0, 26)
        }
        return _one(run, pool, IPool.positions.selector, uint256(key))
            && _one(run, pool, IPool.ticks.selector, lower)
            && _one(run, pool, IPool.ticks.selector, upper);
    }

    function _one(Run memory run, Found memory pool, bytes4 selector, uint256 argument)
        private
        view
        returns (bool)
    {
        bool tick = selector == IPool.ticks.selector;
        uint256 status = STARVED;
        if (pool.burnt < PATIENCE) {
            _selector(run, selector);
            _argument(run, 0, argument);
            status = _asked(run, pool.pool, 36, tick ? 8 : 5);
            if (status == STARVED) ++pool.burnt;
        }
        _kept(run, status, tick);
        return status != NOT_BEGUN;
    }

    /// Return the place of the pool that the last answer of `positions` names; look it up where
    /// it is new. MOST_POOLS: there is no room for it, or too little gas.
    function _place(Run memory run, Found[] memory found, uint256[] memory table)
        private
        view
        returns (uint256 place)
    {
        uint256[12] memory words = run.words;
        (uint256 a, uint256 b, uint256 fee) = (words[2], words[3], words[4]);
        uint256 slot;
        assembly ("memory-safe") {
            slot := keccak256(add(words, 64), 96)
        }
        for (;; ++slot) {
            slot &= SLOTS - 1;
            // Places of an item that was given up may be left over: they end the run with it.
            if (table[slot] == 0) break;
            Found memory one = found[table[slot] - 1];
            if (uint160(one.token0) == a && uint160(one.token1) == b && one.fee == fee) {
                return table[slot] - 1;
            }
        }
        if (run.pools == MOST_POOLS) return MOST_POOLS;
        _selector(run, IFactory.getPool.selector);
        _argument(run, 0, a);
        _argument(run, 1, b);
        _argument(run, 2, fee);
        uint256 status = _answer(run, run.factory, 100, POOL, false);
        if (status == NOT_BEGUN) return MOST_POOLS;
        place = run.pools++;
        table[slot] = place + 1;
        Found memory pool = found[place];
        (pool.token0, pool.token1, pool.fee) = (address(uint160(a)), address(uint160(b)), fee);
        pool.status = status;
        if (status == OK) pool.pool = address(uint160(run.words[0]));
        run.tape.floor += POOL_GAS;
    }

    /// Return a list with room for all pools; the language's own way takes five times as long.
    function _room() private pure returns (Found[] memory found) {
        uint256[] memory flat = new uint256[](MOST_POOLS * POOL_WORDS);
        assembly ("memory-safe") {
            found := mload(0x40)
            mstore(found, MOST_POOLS)
            let place := add(found, 32)
            let end := add(place, mul(32, MOST_POOLS))
            mstore(0x40, end)
            for { let one := add(flat, 32) } lt(place, end) { place := add(place, 32) } {
                mstore(place, one)
                one := add(one, mul(32, POOL_WORDS))
            }
        }
    }

    /// Write a pool's row.
    function _pool(Run memory run, Found memory pool, address[] memory tokens) private view {
        Tape memory tape = run.tape;
        put(tape, pool.status << 160 | uint160(pool.pool), 21);
        put(tape, _token(run, tokens, pool.token0) << 16 | _token(run, tokens, pool.token1), 4);
        put(tape, pool.fee, 3);
        _state(run, pool, IPool.slot0.selector, SLOT0);
        _state(run, pool, IPool.feeGrowthGlobal0X128.selector, GROWTH);
        _state(run, pool, IPool.feeGrowthGlobal1X128.selector, GROWTH);
        _state(run, pool, IPool.liquidity.selector, LIQUIDITY);
        _selector(run, IPool.observe.selector);
        _argument(run, 0, 32);
        _argument(run, 1, 2);
        _argument(run, 2, run.window);
        _argument(run, 3, 0);
        _answer(run, pool.pool, 132, OBSERVE, true);
    }

    function _state(Run memory run, Found memory pool, bytes4 selector, bytes32 shape) private view {
        _selector(run, selector);
        _answer(run, pool.pool, 4, shape, true);
    }

    /// Return a token's place, adding it to the list where it is new.
    function _token(Run memory run, address[] memory tokens, address token)
        private
        pure
        returns (uint256 place)
    {
        while (place < run.tokens && tokens[place] != token) ++place;
        if (place == run.tokens) tokens[run.tokens++] = token;
    }

}

contract UniswapLens is UniswapProgram, Placed {}

contract UniswapLensOnce is UniswapProgram, Once {}
