// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {Flash} from "./Flash.sol";
import {Setup} from "./Setup.sol";
import {Store, Transient, left, spend, store} from "./Store.sol";
import "./Types.sol";

/// @title Lets an executor's key rescue a lending position, and do nothing worse.
/// @notice The owner sets a policy; the executor's intents may only be stricter. Every execution
/// is measured before and after by the lending protocol's own oracle and undone as a whole unless
/// health ends in its band, debt did not grow, and the loss is within the caps.
///
/// The bound. Let a thief hold the executor's key, choose every byte of every intent, and own or
/// move every pool that a swap may touch. If
///   - the protocol's oracle gives the prices that the owner means, and neither it nor what the
///     protocol says of a balance can be moved within a transaction for less than is gained by it,
///   - watched tokens, the lending protocol and the lenders are what they are taken for, and no
///     two watched balances are one (the native coin and a token that mirrors it), and
///   - the account itself has granted the rules' targets no allowance, directly or by Permit2, of
///     what is not watched, and holds nothing with them, or the rules' pins leave no use for it, and
///   - nothing is owed to the account that anybody may have paid out to it meanwhile, such as
///     unclaimed rewards in a watched token: that would pass for worth gained,
/// then of the account's worth (watched and priced tokens in hand, plus supply, less debt), valued
/// by that oracle, he takes at most
///   - in one execution: min(maxLossBps · equity, what is left of maxWindowLoss),
///   - in any time T: maxWindowLoss · (1 + T / window),
/// and of each token watched without a price, and of the native coin, maxOutflow · (1 + T / window)
/// base units, of the native coin nothing if it is not watched. He can act only while health is at
/// or below the trigger, once per cooldown and block; health is then at least the floor, and debt
/// has not grown. Nothing else of the account's can be touched. Rounding adds no more than two
/// units of account for each watched token.
abstract contract Guard is Setup, Flash {
    /// @notice An intent was carried out. `loss` is below zero where worth was gained.
    event Executed(
        bytes32 indexed id,
        address indexed lender,
        uint256 healthBefore,
        uint256 healthAfter,
        int256 loss
    );

    /// @notice Carry out an intent, all of it or none.
    function execute(Intent calldata intent) external {
        Store storage s = store();
        if (s.policy.executor == address(0)) revert NotConfigured();
        if (msg.sender != s.policy.executor) revert NotExecutor(msg.sender);
        if (Transient.get(Transient.LOCK) != 0) revert Reentered();
        Transient.set(Transient.LOCK, 1);
        _admit(s, intent);
        address account = _account();
        Measure memory before = _measure(s, account, new uint256[](0));
        if (before.health > s.policy.trigger) {
            revert HealthAboveTrigger(before.health, s.policy.trigger);
        }
        _remember(before);
        address lender;
        if (intent.flashAmount == 0) _run(intent.calls, address(0), 0);
        else lender = _flash(intent);
        _sendHome(s);
        _judge(s, intent, before, _measure(s, account, before.prices), lender);
        Transient.set(Transient.LOCK, 0);
    }

    /// Check everything that needs no call, and write down that it is done.
    function _admit(Store storage s, Intent calldata intent) private {
        Policy storage p = s.policy;
        if (s.paused) revert IsPaused();
        if (block.timestamp > p.validUntil) revert PolicyExpired(p.validUntil);
        if (block.timestamp > intent.deadline) revert Expired(intent.deadline);
        if (intent.maxBaseFee > p.maxBaseFee) revert LooserThanPolicy("maxBaseFee");
        if (intent.maxLossBps > p.maxLossBps) revert LooserThanPolicy("maxLossBps");
        if (intent.minHealthFactorAfter < p.floor) revert LooserThanPolicy("minHealthFactorAfter");
        if (block.basefee > intent.maxBaseFee) {
            revert BaseFeeTooHigh(block.basefee, intent.maxBaseFee);
        }
        if (s.usedAt[intent.id] != 0) revert AlreadyUsed(intent.id);
        if (s.lastBlock == block.number) revert OncePerBlock();
        uint256 until = uint256(s.lastAt) + p.cooldown;
        if (s.lastAt != 0 && block.timestamp < until) revert CoolingDown(until);
        s.usedAt[intent.id] = block.timestamp;
        (s.lastAt, s.lastBlock) = (uint64(block.timestamp), uint64(block.number));
    }

    function _judge(
        Store storage s,
        Intent calldata intent,
        Measure memory before,
        Measure memory m,
        address lender
    ) private {
        Policy storage p = s.policy;
        if (m.debt > before.debt) revert DebtUp(before.debt, m.debt);
        if (m.health < intent.minHealthFactorAfter) {
            revert HealthTooLow(m.health, intent.minHealthFactorAfter);
        }
        if (p.ceiling != type(uint128).max && m.health > p.ceiling) {
            revert HealthTooHigh(m.health, p.ceiling);
        }
        int256 loss = before.worth - m.worth;
        if (loss > 0) _chargeLoss(s, uint256(loss), before.equity, intent.maxLossBps);
        _chargeOutflows(s, before, m);
        emit Executed(intent.id, lender, before.health, m.health, loss);
    }

    function _chargeLoss(Store storage s, uint256 loss, int256 equity, uint256 bps) private {
        uint256 most = equity > 0 ? uint256(equity) * bps / 10_000 : 0;
        if (loss > most) revert LossTooHigh(loss, most);
        uint256 cap = s.policy.maxWindowLoss;
        uint256 rest = left(s.loss, cap, s.policy.window);
        if (loss > rest) revert WindowLossTooHigh(loss, rest);
        spend(s.loss, loss, cap, rest);
    }

    function _chargeOutflows(Store storage s, Measure memory before, Measure memory m) private {
        bool native;
        uint256 window = s.policy.window;
        for (uint256 i; i < m.held.length; ++i) {
            Kept storage a = s.assets[i];
            if (a.token == address(0)) native = true;
            if (m.held[i] >= before.held[i]) continue;
            uint256 outflow = before.held[i] - m.held[i];
            uint256 cap = a.maxOutflow;
            uint256 rest = left(a.outflow, cap, window);
            if (outflow > rest) revert OutflowTooHigh(a.token, outflow, rest);
            spend(a.outflow, outflow, cap, rest);
        }
        if (!native && m.native < before.native) {
            revert OutflowTooHigh(address(0), before.native - m.native, 0);
        }
    }

    /// Note what the guard itself has in hand, so that steps can use what is gained.
    function _remember(Measure memory before) internal virtual;

    /// Give the account whatever the guard has in hand.
    function _sendHome(Store storage s) internal virtual;

    function usedAt(bytes32 id) external view returns (uint256 timestamp) {
        return store().usedAt[id];
    }

    function policy() external view returns (Policy memory) {
        return store().policy;
    }

    function assets() external view returns (Kept[] memory) {
        return store().assets;
    }

    function lenders() external view returns (Lender[] memory) {
        return store().lenders;
    }

    /// @return account whose position this is, epoch of the configuration, whether paused, the
    /// time and block of the last execution, and how much of the window's loss is left.
    function status()
        external
        view
        returns (
            address account,
            uint64 epoch,
            bool paused,
            uint64 lastAt,
            uint64 lastBlock,
            uint256 lossLeft
        )
    {
        Store storage s = store();
        uint256 window = s.policy.window;
        uint256 rest = window == 0 ? 0 : left(s.loss, s.policy.maxWindowLoss, window);
        return (_account(), s.epoch, s.paused, s.lastAt, s.lastBlock, rest);
    }

    /// Unwrapped and redeemed native coin arrives so.
    receive() external payable {}
}
