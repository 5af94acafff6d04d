// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {Steps} from "./Steps.sol";
import {Store, Transient, store} from "./Store.sol";
import {IToken, PERMIT2} from "./Tokens.sol";
import {
    Asset,
    BadPolicy,
    Kept,
    Lender,
    MayNotPause,
    NotOwner,
    Policy,
    Protocol,
    Reentered,
    Rule,
    RuleTooPowerful
} from "./Types.sol";

/// What the owner does: configure, pause, resume.
abstract contract Setup is Steps {
    uint256 private constant MOST_ASSETS = 16;
    uint256 private constant MOST_LENDERS = 8;

    event Configured(uint64 indexed epoch, address indexed executor, bytes32 digest);
    event Paused(address indexed by);
    event Resumed();

    modifier onlyOwner() {
        // The guard never calls itself, so as a delegate this is the account's own key.
        if (msg.sender != _account()) revert NotOwner(msg.sender);
        if (Transient.get(Transient.LOCK) != 0) revert Reentered();
        _;
    }

    /// @notice Replace policy, watched tokens, lenders and rules as a whole.
    /// @dev The event holds the digest of the whole call. Of an earlier configuration, or of what an account once delegated to left in storage,
    /// only used ids live on. Pause is lifted only by `resume`.
    function configure(
        Policy calldata policy_,
        Asset[] calldata assets_,
        Lender[] calldata lenders_,
        Rule[] calldata rules_
    ) external onlyOwner {
        Store storage s = store();
        _validate(policy_);
        s.policy = policy_;
        uint64 epoch = ++s.epoch;
        s.loss.spent = 0;
        emit Configured(epoch, policy_.executor, keccak256(msg.data));
        _watch(s, assets_);
        if (lenders_.length > MOST_LENDERS) revert BadPolicy("lenders");
        delete s.lenders;
        for (uint256 i; i < lenders_.length; ++i) {
            if (lenders_[i].lender.code.length == 0) revert BadPolicy("lenders");
            s.lenders.push(lenders_[i]);
        }
        for (uint256 i; i < rules_.length; ++i) _rule(s, rules_[i]);
    }

    /// @notice Stop all executions. The owner and the guardian may.
    function pause() external {
        Store storage s = store();
        bool guardian = s.policy.guardian != address(0) && msg.sender == s.policy.guardian;
        if (!guardian && msg.sender != _account()) revert MayNotPause(msg.sender);
        s.paused = true;
        emit Paused(msg.sender);
    }

    /// @notice Allow executions again. The owner alone may.
    function resume() external onlyOwner {
        store().paused = false;
        emit Resumed();
    }

    function _validate(Policy calldata p) private view {
        if (p.executor == address(0) || p.executor == _account()) revert BadPolicy("executor");
        if (p.validUntil <= block.timestamp) revert BadPolicy("validUntil");
        if (p.window == 0) revert BadPolicy("window");
        if (p.maxLossBps > 10_000) revert BadPolicy("maxLossBps");
        if (p.floor < 1e18) revert BadPolicy("floor");
        if (p.ceiling < p.floor) revert BadPolicy("ceiling");
        if (p.market.code.length == 0) revert BadPolicy("market");
        if (p.protocol != _protocol()) revert BadPolicy("protocol");
        if ((p.protocol == Protocol.MorphoBlue) != (p.marketId != 0)) revert BadPolicy("marketId");
    }

    function _watch(Store storage s, Asset[] calldata assets_) private {
        if (assets_.length == 0 || assets_.length > MOST_ASSETS) revert BadPolicy("assets");
        delete s.assets;
        for (uint256 i; i < assets_.length; ++i) {
            Asset calldata one = assets_[i];
            if (_indexOf(s, one.token) != type(uint256).max) revert BadPolicy("assets");
            Kept storage a = s.assets.push();
            (a.token, a.position, a.maxOutflow) = (one.token, one.position, one.maxOutflow);
            a.decimals = one.token == address(0) ? 18 : IToken(one.token).decimals();
            _keep(s, one, a);
        }
        for (uint256 i; i < assets_.length; ++i) {
            Kept storage a = s.assets[i];
            // In hand and in the position the same supply would count twice, so that a thief could
            // make up for what he takes by moving it.
            if (!a.position) continue;
            if (_indexOf(s, a.source) != type(uint256).max) revert BadPolicy("assets");
            if (a.debtToken == address(0)) continue;
            if (_indexOf(s, a.debtToken) != type(uint256).max) revert BadPolicy("assets");
        }
    }

    function _rule(Store storage s, Rule calldata r) private {
        if (_tooPowerful(s, r)) revert RuleTooPowerful(r.target, r.selector);
        uint256 pins = r.pins;
        uint256 count;
        for (; pins != 0; pins &= pins - 1) ++count;
        if (count != r.words.length) revert BadPolicy("pins");
        uint256 rule = ALLOWED | (r.permit2 ? BY_PERMIT2 : 0) | uint256(r.pins) << PINS;
        bytes32 key = keccak256(abi.encode(s.epoch, r.target, r.selector));
        uint256 earlier = s.rules[key];
        if (earlier != 0 && earlier != rule) revert BadPolicy("pins");
        s.rules[key] = rule;
        if (count != 0) {
            bytes memory words = abi.encodePacked(r.words);
            s.rules[keccak256(abi.encode(s.epoch, r.target, r.selector, words))] = 1;
        }
    }

    /// Whether a rule would let value or power out unseen: functions that give a power which
    /// outlives the execution, and targets that the guard itself speaks to in its own way.
    function _tooPowerful(Store storage s, Rule calldata r) private view returns (bool) {
        address t = r.target;
        if (t == address(this) || t == _account() || t == s.policy.market) return true;
        if (t == address(PERMIT2) || t.code.length == 0) return true;
        for (uint256 i; i < s.assets.length; ++i) {
            Kept storage a = s.assets[i];
            if (a.position && (a.source == t || a.debtToken == t)) return true;
            // Of a watched token only wrapping and unwrapping.
            if (a.token == t && r.selector != 0xd0e30db0 && r.selector != 0x2e1a7d4d) return true;
        }
        return _givesPower(r.selector);
    }

    function _givesPower(bytes4 f) private pure returns (bool) {
        return f == 0x095ea7b3 // approve(address,uint256)
            || f == 0x39509351 // increaseAllowance(address,uint256)
            || f == 0xa9059cbb // transfer(address,uint256)
            || f == 0x23b872dd // transferFrom(address,address,uint256)
            || f == 0xd505accf // permit(address,address,uint256,uint256,uint8,bytes32,bytes32)
            || f == 0xa22cb465 // setApprovalForAll(address,bool)
            || f == 0x87517c45 // approve(address,address,uint160,uint48)
            || f == 0xc04a8a10 // approveDelegation(address,uint256)
            || f == 0xeecea000 // setAuthorization(address,bool)
            || f == 0xfa6e671d // setRelayerApproval(address,address,bool)
            || f == 0x110496e5; // allow(address,bool)
    }
}
