// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {Steps} from "./Steps.sol";
import {Store, Transient, store} from "./Store.sol";
import {Tokens} from "./Tokens.sol";
import {
    Call,
    CallNotAllowed,
    CallTooShort,
    FlashFeeTooHigh,
    FlashNotCovered,
    Intent,
    Lender,
    LenderKind,
    NoFlashLender,
    StepFailed,
    TokenFailed,
    TokenNotWatched,
    UnexpectedCallback
} from "./Types.sol";
import {Words} from "./Words.sol";

interface IMorphoFlash {
    function flashLoan(address token, uint256 assets, bytes calldata data) external;
}

interface IBalancerFlash {
    function flashLoan(
        address recipient,
        address[] memory tokens,
        uint256[] memory amounts,
        bytes memory userData
    ) external;
}

interface IAaveFlash {
    function flashLoanSimple(
        address receiver,
        address asset,
        uint256 amount,
        bytes calldata params,
        uint16 referralCode
    ) external;
}

/// Flash loans: the owner's lenders in the owner's order, until one serves. A callback is taken
/// once, from the lender that was asked, with the very data it was given.
abstract contract Flash is Steps {
    function _flash(Intent calldata intent) internal returns (address) {
        Store storage s = store();
        (address token, uint256 amount) = (intent.flashToken, intent.flashAmount);
        if (token == address(0) || _indexOf(s, token) == type(uint256).max) {
            revert TokenNotWatched(token);
        }
        bytes memory data = abi.encode(token, amount, intent.calls);
        Transient.set(Transient.DIGEST, uint256(keccak256(data)));
        uint256 n = s.lenders.length;
        for (uint256 i; i < n; ++i) {
            Lender memory one = s.lenders[i];
            if (one.kind == LenderKind.BalancerV2 && _uses(intent.calls, one.lender)) continue;
            Transient.set(Transient.LENDER, uint160(one.lender));
            (bool ok, bytes memory why) = one.lender.call(_request(one.kind, token, amount, data));
            if (ok && Transient.get(Transient.LENDER) == 0) {
                if (one.kind != LenderKind.BalancerV2) Tokens.revoke(token, one.lender);
                return one.lender;
            }
            Transient.set(Transient.LENDER, 0);
            if (!ok && _isOurs(Words.selector(why))) {
                assembly ("memory-safe") {
                    revert(add(why, 32), mload(why))
                }
            }
        }
        revert NoFlashLender(token, amount);
    }

    function _request(LenderKind kind, address token, uint256 amount, bytes memory data)
        private
        view
        returns (bytes memory)
    {
        if (kind == LenderKind.Morpho) {
            return abi.encodeCall(IMorphoFlash.flashLoan, (token, amount, data));
        }
        if (kind == LenderKind.AaveV3) {
            return abi.encodeCall(
                IAaveFlash.flashLoanSimple, (address(this), token, amount, data, 0)
            );
        }
        address[] memory tokens = new address[](1);
        uint256[] memory amounts = new uint256[](1);
        (tokens[0], amounts[0]) = (token, amount);
        return abi.encodeCall(IBalancerFlash.flashLoan, (address(this), tokens, amounts, data));
    }

    /// Morpho's callback; it takes its due itself.
    function onMorphoFlashLoan(uint256 assets, bytes calldata data) external {
        (address token, uint256 due) = _onFlash(address(0), assets, 0, data);
        Tokens.approve(token, msg.sender, due);
    }

    /// Balancer v2's callback; it wants its due sent.
    function receiveFlashLoan(
        address[] calldata tokens,
        uint256[] calldata amounts,
        uint256[] calldata fees,
        bytes calldata data
    ) external {
        (address token, uint256 due) = _onFlash(tokens[0], amounts[0], fees[0], data);
        Tokens.transfer(token, msg.sender, due);
    }

    /// Aave v3's callback; it takes its due itself.
    function executeOperation(
        address asset,
        uint256 amount,
        uint256 premium,
        address initiator,
        bytes calldata data
    ) external returns (bool) {
        if (initiator != address(this)) revert UnexpectedCallback(initiator);
        (address token, uint256 due) = _onFlash(asset, amount, premium, data);
        Tokens.approve(token, msg.sender, due);
        return true;
    }

    /// Run the calls with the loan in hand; return what is due. Morpho names no token.
    function _onFlash(address given, uint256 amount, uint256 fee, bytes calldata data)
        private
        returns (address token, uint256 due)
    {
        uint256 lender = Transient.get(Transient.LENDER);
        if (lender == 0 || msg.sender != address(uint160(lender))) {
            revert UnexpectedCallback(msg.sender);
        }
        if (uint256(keccak256(data)) != Transient.get(Transient.DIGEST)) {
            revert UnexpectedCallback(msg.sender);
        }
        Transient.set(Transient.LENDER, 0);
        uint256 wanted;
        Call[] memory calls;
        (token, wanted, calls) = abi.decode(data, (address, uint256, Call[]));
        if (amount != wanted || (given != token && given != address(0))) {
            revert UnexpectedCallback(msg.sender);
        }
        uint256 most = amount * store().policy.maxFlashFeeBps / 10_000;
        if (fee > most) revert FlashFeeTooHigh(fee, most);
        due = amount + fee;
        _run(calls, token, due);
        uint256 held = Tokens.balance(token, address(this));
        if (held < due) revert FlashNotCovered(due, held);
    }

    /// Balancer's Vault cannot be swapped with while it waits for its loan.
    function _uses(Call[] calldata calls, address target) private pure returns (bool) {
        for (uint256 i; i < calls.length; ++i) {
            if (calls[i].target == target) return true;
        }
        return false;
    }

    /// Whether a loan failed by what was done with it: no other lender would change that.
    function _isOurs(bytes4 error_) private pure returns (bool) {
        return error_ == StepFailed.selector || error_ == FlashNotCovered.selector
            || error_ == CallNotAllowed.selector || error_ == CallTooShort.selector
            || error_ == TokenNotWatched.selector || error_ == TokenFailed.selector;
    }
}
