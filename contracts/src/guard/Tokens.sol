// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {TokenFailed} from "./Types.sol";

interface IToken {
    function balanceOf(address who) external view returns (uint256);
    function allowance(address owner, address spender) external view returns (uint256);
    function approve(address spender, uint256 amount) external returns (bool);
    function transfer(address to, uint256 amount) external returns (bool);
    function decimals() external view returns (uint8);
}

interface IPermit2 {
    function approve(address token, address spender, uint160 amount, uint48 expiration) external;
}

IPermit2 constant PERMIT2 = IPermit2(0x000000000022D473030F116dDEE9F6B43aC78BA3);

/// Tokens as they are: some answer nothing where ERC-20 says bool, some want an approval to be
/// zero before it is anything else. The zero address is the native coin.
library Tokens {
    function balance(address token, address who) internal view returns (uint256) {
        return token == address(0) ? who.balance : IToken(token).balanceOf(who);
    }

    function transfer(address token, address to, uint256 amount) internal {
        if (token == address(0)) {
            (bool ok,) = to.call{value: amount}("");
            if (!ok) revert TokenFailed(token);
            return;
        }
        _succeed(token, abi.encodeCall(IToken.transfer, (to, amount)));
    }

    /// Approve exactly; what stood there before is gone.
    function approve(address token, address spender, uint256 amount) internal {
        if (amount != 0 && IToken(token).allowance(address(this), spender) != 0) {
            _succeed(token, abi.encodeCall(IToken.approve, (spender, 0)));
        }
        _succeed(token, abi.encodeCall(IToken.approve, (spender, amount)));
    }

    /// Take back what is left of an approval.
    function revoke(address token, address spender) internal {
        if (IToken(token).allowance(address(this), spender) == 0) return;
        approve(token, spender, 0);
        if (IToken(token).allowance(address(this), spender) != 0) revert TokenFailed(token);
    }

    function approveThroughPermit2(address token, address spender, uint256 amount) internal {
        if (amount > type(uint160).max) revert TokenFailed(token);
        approve(token, address(PERMIT2), amount);
        PERMIT2.approve(token, spender, uint160(amount), uint48(block.timestamp));
    }

    function revokeThroughPermit2(address token, address spender) internal {
        PERMIT2.approve(token, spender, 0, 0);
        revoke(token, address(PERMIT2));
    }

    function _succeed(address token, bytes memory data) private {
        (bool ok, bytes memory answer) = token.call(data);
        bool fine = answer.length == 0
            ? token.code.length != 0
            : answer.length >= 32 && bytes32(answer) == bytes32(uint256(1));
        if (!ok || !fine) revert TokenFailed(token);
    }
}
