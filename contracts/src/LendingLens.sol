// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {IPool} from "./LendingLensReserves.sol";
import {IToken, LendingWalk} from "./LendingLensWalk.sol";
import {
    HEAD, NOT_BEGUN, OK, Once, Placed, STARVED, TOO_SHORT, TOO_WIDE, Tape,
    ask, finish, overwrite, put, take, takeAddress
} from "./Tape.sol";

/// @title Read what many accounts have and owe in one Aave v3 pool, in one eth_call at one block.
/// @notice Only public functions are called, all of them statically; whatever fails marks its own
/// cell. How it is run, and the head of its output: Tape.sol.
///
/// Input, packed, big-endian:
///   mode u8 | allowance u32 | heavy u32 | floor u32 | root address
///   without mode RESOLVE: n u16 | n × (id u16 | traits u8 | asset, aToken, stable debt token,
///   variable debt token) | accounts, an address each, to the end
/// The root is the pool, or with RESOLVE its PoolAddressesProvider: then the pool, its reserves and
/// their prices are looked up and written out. A call for an account gets `allowance` gas, one for
/// the pool `heavy`; none is begun unless it and `floor` are left.
///
/// Output, after the head:
///   pool | oracle | entries u32 | reserves written r u16 | facts written f u8
///   f × ( status u8 | word 32 ): with RESOLVE the provider's getPool, getPriceOracle and
///   getPriceOracleSentinel, POOL_REVISION, the oracle's BASE_CURRENCY, BASE_CURRENCY_UNIT and
///   getFallbackOracle, the sentinel's isLiquidationAllowed
///   r × ( status u8 | traits u8 | id u16 | asset | configuration 32 | liquidity index u128
///         | liquidity rate u128 | borrow index u128 | borrow rate u128 | updated at u64
///         | aToken | stable debt token | variable debt token | price status u8 | price 32 )
///   one row per account: status u8 | e-mode u8 | configuration 32
///   24 bytes per entry: account u32 | place of its reserve u16 | kind u8 | status u8 | amount u128
/// Only the rows of accounts done mean anything; gas ran short for the others. Entries are in
/// order of account and of their reserves' ids; amounts that are zero have none. A row's status is that of its
/// configuration, and 16 times that of its e-mode.
///   status 0 ok   1 reverted   2 over 128 bits (an e-mode: over 8)   3 too short an answer
///          4 it may have failed for want of gas alone, or others of its token did
///          5 there was not enough gas to begin it
///   kind   0 aToken's scaledBalanceOf   1 variable debt's scaledBalanceOf
///          2 stable debt's principalBalanceOf   3 balanceOf of the asset
///          4 getUserStableRate   5 getUserLastUpdated   6 getDiscountPercent
///          7 getPreviousIndex
///   traits 1 has stable debt   2 grants a discount   4 not found out: no account owes any
///   mode   1 RESOLVE   2 WALLET: balances of the assets too
///          4 HEALTH: supply only where it is collateral, and no e-mode without a flag
///          8 ROWS: kinds 0, 1 and 3 are left out, for they are read otherwise
abstract contract LendingProgram is LendingWalk {
    uint256 private constant RESOLVE = 1;
    uint256 private constant WALLET = 2;
    uint256 private constant HEALTH = 4;
    uint256 private constant ROWS = 8;
    uint256 private constant DISCOUNT = 2;

    bytes4 private constant STABLE_RATE = IToken.getUserStableRate.selector;
    bytes4 private constant STABLE_SINCE = IToken.getUserLastUpdated.selector;
    bytes4 private constant PERCENT = IToken.getDiscountPercent.selector;
    bytes4 private constant PREVIOUS_INDEX = IToken.getPreviousIndex.selector;

    uint256 private constant ROW = 34;
    /// Failures that took much gas after which a token is not asked that question again.
    uint256 private constant PATIENCE = 2;
    uint256 private constant REVERTED = 1;

    function _run(bytes memory input) internal view override returns (uint256 from, uint256 size) {
        Run memory run;
        Tape memory tape = run.tape;
        tape.gasAtStart = gasleft();
        run.mode = take(input, 0, 1);
        run.all = run.mode & (HEALTH | ROWS) == 0 ? 1 : 0;
        run.owed = run.mode & ROWS == 0 ? 1 : 0;
        run.wallet = run.mode & WALLET != 0 ? 1 : 0;
        run.allowance = take(input, 1, 4);
        run.most = 3 * run.allowance / 4;
        run.heavy = take(input, 5, 4);
        tape.floor = take(input, 9, 4);
        run.root = run.pool = takeAddress(input, 13);
        bool resolve = run.mode & RESOLVE != 0;
        Reserve[] memory reserves = resolve ? _resolve(run) : _given(run, input);
        tape.gasAtItems = gasleft();
        tape.done = _accounts(run, reserves, input, resolve ? 33 : 35 + GIVEN * reserves.length);

        uint256 at = tape.from + HEAD;
        overwrite(at, uint160(run.pool), 20);
        overwrite(at + 20, uint160(run.oracle), 20);
        uint256 written = resolve ? reserves.length << 8 | FACTS : 0;
        overwrite(at + 40, run.entries << 24 | written, 7);
        return finish(tape, input);
    }

    /// Read the accounts, and return of how many there was enough gas to read all.
    function _accounts(
        Run memory run, Reserve[] memory reserves, bytes memory input, uint256 at
    ) private view returns (uint256 done) {
        Tape memory tape = run.tape;
        uint256 rows = tape.out;
        uint256 count = (input.length - at) / 20;
        tape.out += ROW * count;
        for (; done < count; ++done) {
            uint256 out = tape.out;
            uint256 entries = run.entries;
            run.account = takeAddress(input, at + 20 * done);
            run.index = done;
            if (!_account(run, reserves, rows + ROW * done)) {
                (tape.out, run.entries) = (out, entries);
                break;
            }
        }
    }

    /// Read one account. False: the gas left is too little to do it whole.
    function _account(Run memory run, Reserve[] memory reserves, uint256 row)
        private
        view
        returns (bool)
    {
        (uint256 status, uint256 configuration) =
            ask(run.tape, run.allowance, run.pool, IPool.getUserConfiguration.selector, run.account);
        if (status == NOT_BEGUN) return false;
        if (status != OK) configuration = 0;
        uint256 emode;
        if (status == OK && (configuration != 0 || run.mode & HEALTH == 0)) {
            uint256 failed;
            (failed, emode) =
                ask(run.tape, run.allowance, run.pool, IPool.getUserEMode.selector, run.account);
            if (failed == NOT_BEGUN) return false;
            if (emode > 0xff) (failed, emode) = (TOO_WIDE, 0);
            status |= failed << 4;
        }
        assembly ("memory-safe") {
            mstore(row, shl(240, or(shl(8, status), emode)))
            mstore(add(row, 2), configuration)
        }
        if (status & 0xf != OK) return true;

        run.configuration = run.mode & ROWS == 0 ? configuration : configuration & BORROWING;
        if (run.all | run.configuration == 0) return true; // nor wallets: HEALTH reads none then
        _ask(run, reserves.length);
        while (true) {
            _walk(run);
            if (run.rest == 0) return true;
            if (!_careful(run, reserves[_place(run, run.rest)])) return false;
            run.rest &= run.rest - 1;
        }
    }

    /// Do what is left to do at one reserve, from a step on. False: too little gas.
    function _careful(Run memory run, Reserve memory reserve) private view returns (bool) {
        uint256 bit = run.rest & (~run.rest + 1);
        bool used = run.all != 0 || run.configuration & bit << 1 != 0;
        if (run.step == SUPPLY && used && !_amount(run, reserve, 0, reserve.aToken, SCALED)) {
            return false;
        }
        if (run.step != HELD && run.configuration & bit != 0 && !_debts(run, reserve)) return false;
        return run.wallet == 0 || _amount(run, reserve, 3, reserve.asset, BALANCE);
    }

    /// Read what the account owes of one reserve. False: too little gas.
    function _debts(Run memory run, Reserve memory reserve) private view returns (bool) {
        if (reserve.traits & UNTOLD != 0 && !_traits(run, reserve)) return false;
        if (run.mode & ROWS == 0 && !_amount(run, reserve, 1, reserve.debtToken, SCALED)) {
            return false;
        }
        if (reserve.traits & STABLE != 0) {
            address token = reserve.stableToken;
            uint256 before = run.entries;
            if (!_amount(run, reserve, 2, token, PRINCIPAL)) return false;
            if (run.entries != before) {
                if (!_amount(run, reserve, 4, token, STABLE_RATE)) return false;
                if (!_amount(run, reserve, 5, token, STABLE_SINCE)) return false;
            }
        }
        if (reserve.traits & DISCOUNT != 0) {
            address token = reserve.debtToken;
            if (!_amount(run, reserve, 6, token, PERCENT)) return false;
            if (!_amount(run, reserve, 7, token, PREVIOUS_INDEX)) return false;
        }
        return true;
    }

    /// Read one amount and write it down, unless it is zero. False: too little gas to begin.
    function _amount(
        Run memory run,
        Reserve memory reserve,
        uint256 kind,
        address token,
        bytes4 selector
    ) private view returns (bool) {
        unchecked {
            uint256 status = STARVED;
            uint256 amount;
            if (reserve.burnt >> 8 * kind & 0xff < PATIENCE) {
                (status, amount) = ask(run.tape, run.allowance, token, selector, run.account);
                // Nearly always nothing is there.
                if (status | amount == 0) return true;
                if (status == NOT_BEGUN) return false;
                if (status == STARVED) {
                    reserve.burnt += 1 << 8 * kind;
                    (run.burnt, run.need) = (true, NEVER);
                }
                if (amount >> 128 != 0) status = TOO_WIDE;
            }
            _write(run, reserve, kind, status, amount);
            return true;
        }
    }

    function _write(
        Run memory run, Reserve memory reserve, uint256 kind, uint256 status, uint256 amount
    )
        private
        pure
    {
        unchecked {
            if (status != OK) amount = 0;
            uint256 head = run.index << 32 | reserve.place << 16 | kind << 8 | status;
            put(run.tape, head << 128 | amount, 24);
            ++run.entries;
        }
    }

    /// Find out what the debt tokens of a reserve have answers to. False: too little gas.
    function _traits(Run memory run, Reserve memory reserve) private view returns (bool) {
        uint256 stable = _answers(run, reserve.stableToken, PRINCIPAL);
        uint256 discount = _answers(run, reserve.debtToken, PERCENT);
        if (stable == NOT_BEGUN || discount == NOT_BEGUN) return false;
        // What may have failed for want of gas is asked of accounts, and marks their cells.
        reserve.traits = (stable == REVERTED || stable == TOO_SHORT ? 0 : STABLE)
            | (discount == REVERTED || discount == TOO_SHORT ? 0 : DISCOUNT);
        if (run.listed != 0) overwrite(run.listed + LISTED * reserve.place + 1, reserve.traits, 1);
        return true;
    }

    /// Ask a token a question about nobody, to see whether it knows it.
    function _answers(Run memory run, address token, bytes4 selector)
        private
        view
        returns (uint256 status)
    {
        (status,) = ask(run.tape, run.allowance, token, selector, address(this));
    }
}

contract LendingLens is LendingProgram, Placed {}

contract LendingLensOnce is LendingProgram, Once {}
