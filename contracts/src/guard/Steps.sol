// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {Lending} from "./Lending.sol";
import {Store, Transient, store} from "./Store.sol";
import {Tokens} from "./Tokens.sol";
import {
    Answer,
    Call,
    CallNotAllowed,
    CallTooShort,
    Kept,
    StepFailed,
    TokenNotWatched
} from "./Types.sol";
import {Words} from "./Words.sol";

interface IPull {
    function transferFrom(address from, address to, uint256 amount) external returns (bool);
}

/// The calls of an intent, one after the other, each allowed by name and no more.
abstract contract Steps is Lending {
    uint256 internal constant ALLOWED = 1;
    uint256 internal constant BY_PERMIT2 = 2;
    uint256 internal constant PINS = 128;

    /// Run the calls; `owed` of `flashToken` stays untouched by what fills arguments.
    function _run(Call[] memory calls, address flashToken, uint256 owed) internal {
        Store storage s = store();
        for (uint256 i; i < calls.length; ++i) {
            Call memory c = calls[i];
            if (c.token != address(0) && _indexOf(s, c.token) == type(uint256).max) {
                revert TokenNotWatched(c.token);
            }
            if (c.fill != 0) {
                if (!Words.reaches(c.data, c.fill - 1)) revert CallTooShort(c.target);
                c.amount = _gained(s, c.token, c.token == flashToken ? owed : 0);
                Words.setWord(c.data, c.fill - 1, c.amount);
            }
            if (c.value == type(uint256).max) c.value = _gained(s, address(0), 0);
            _step(s, i, c);
        }
    }

    function _step(Store storage s, uint256 i, Call memory c) private {
        (Answer answer, bool byPermit2) = _check(s, c.target, c.data);
        if (c.token != address(0)) {
            if (byPermit2) Tokens.approveThroughPermit2(c.token, c.target, c.amount);
            else Tokens.approve(c.token, c.target, c.amount);
        }
        (bool ok, bytes memory said) = c.target.call{value: c.value}(c.data);
        if (!ok || !_asWanted(answer, said)) revert StepFailed(i, said);
        if (c.token != address(0)) {
            if (byPermit2) Tokens.revokeThroughPermit2(c.token, c.target);
            else Tokens.revoke(c.token, c.target);
        }
    }

    function _asWanted(Answer answer, bytes memory said) private pure returns (bool) {
        if (answer == Answer.Any || said.length < 32) return true;
        uint256 first;
        assembly ("memory-safe") {
            first := mload(add(said, 32))
        }
        return first == (answer == Answer.True ? 1 : 0);
    }

    /// Refuse what neither the protocol's rules nor the owner's allow.
    function _check(Store storage s, address target, bytes memory data)
        private
        view
        returns (Answer answer, bool byPermit2)
    {
        bytes4 selector = Words.selector(data);
        if (selector == IPull.transferFrom.selector && _isWatched(s, target)) {
            bool home = Words.isAddress(data, 0, _account()) && Words.isAddress(data, 1, address(this));
            answer = home ? Answer.True : Answer.Refused;
        } else {
            answer = _lends(s, _account(), target, data);
        }
        if (answer == Answer.Foreign) {
            byPermit2 = _ruled(s, target, selector, data);
            answer = Answer.Any;
        }
        if (answer == Answer.Refused) revert CallNotAllowed(target, selector);
    }

    function _ruled(Store storage s, address target, bytes4 selector, bytes memory data)
        private
        view
        returns (bool byPermit2)
    {
        uint256 rule = s.rules[keccak256(abi.encode(s.epoch, target, selector))];
        if (rule & ALLOWED == 0) revert CallNotAllowed(target, selector);
        uint256 pins = rule >> PINS;
        if (pins != 0) {
            bytes memory words;
            for (uint256 i; pins != 0; ++i) {
                if (pins & 1 == 1) {
                    if (!Words.reaches(data, i)) revert CallTooShort(target);
                    words = bytes.concat(words, Words.word(data, i));
                }
                pins >>= 1;
            }
            bytes32 key = keccak256(abi.encode(s.epoch, target, selector, words));
            if (s.rules[key] == 0) revert CallNotAllowed(target, selector);
        }
        return rule & BY_PERMIT2 != 0;
    }

    /// What the guard has of a token beyond what it had and what it owes the lender.
    function _gained(Store storage s, address token, uint256 owed) private view returns (uint256) {
        uint256 index = _indexOf(s, token);
        uint256 had = token == address(0)
            ? Transient.get(Transient.NATIVE)
            : Transient.get(Transient.held(index));
        uint256 now_ = Tokens.balance(token, address(this));
        return now_ > had + owed ? now_ - had - owed : 0;
    }

    function _indexOf(Store storage s, address token) internal view returns (uint256) {
        for (uint256 i; i < s.assets.length; ++i) {
            if (s.assets[i].token == token) return i;
        }
        return type(uint256).max;
    }

    /// Whether this is a watched token or the aToken or cToken of one.
    function _isWatched(Store storage s, address token) private view returns (bool) {
        for (uint256 i; i < s.assets.length; ++i) {
            Kept storage a = s.assets[i];
            if (a.token == token || (a.position && a.source == token)) return true;
        }
        return false;
    }
}
