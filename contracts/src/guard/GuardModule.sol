// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {Guard} from "./Guard.sol";
import {Store} from "./Store.sol";
import {Tokens} from "./Tokens.sol";
import {BadPolicy, Kept, Measure} from "./Types.sol";

/// @title A guard beside the account, acting by what the account granted it.
/// @notice One guard for one owner, who keeps position and keys and may take the grant back at any
/// time: aToken or cToken allowances, Morpho's authorisation, allowances of tokens in hand. What
/// the guard is lent or withdraws passes through it within one execution; nothing stays.
abstract contract GuardModule is Guard {
    address public immutable owner;

    constructor(address owner_) {
        if (owner_ == address(0)) revert BadPolicy("owner");
        owner = owner_;
    }

    function _account() internal view override returns (address) {
        return owner;
    }

    function _remember(Measure memory) internal override {}

    function _sendHome(Store storage s) internal override {
        for (uint256 i; i < s.assets.length; ++i) {
            Kept storage a = s.assets[i];
            _send(a.token);
            if (a.position && a.source != s.policy.market) _send(a.source);
        }
        if (address(this).balance != 0) _send(address(0));
    }

    function _send(address token) private {
        uint256 amount = Tokens.balance(token, address(this));
        if (amount != 0) Tokens.transfer(token, owner, amount);
    }
}
