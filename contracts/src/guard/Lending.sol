// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {Store} from "./Store.sol";
import {Tokens} from "./Tokens.sol";
import {Answer, Asset, Kept, Measure, Protocol} from "./Types.sol";

/// What a guard must know of the lending protocol that it is made for.
abstract contract Lending {
    /// The owner of position and wallet: the guard itself where it is a delegate.
    function _account() internal view virtual returns (address);

    function _protocol() internal pure virtual returns (Protocol);

    /// Fill in health, debt, equity and worth, interest up to now included.
    function _appraise(Store storage s, address account, Measure memory m) internal virtual;

    /// Say what the answer to a step must be that calls the protocol: it may call what supplies,
    /// repays, withdraws and, if the policy lets, borrows, of the position's own markets, for the
    /// account alone.
    function _lends(Store storage s, address account, address target, bytes memory data)
        internal
        view
        virtual
        returns (Answer);

    /// Complete a watched token with the protocol's addresses, or refuse it.
    function _keep(Store storage s, Asset calldata asset, Kept storage a) internal virtual;

    /// Measure the account's position and what it has in hand.
    /// @param prices of the measure before, empty at the first.
    function _measure(Store storage s, address account, uint256[] memory prices)
        internal
        returns (Measure memory m)
    {
        uint256 n = s.assets.length;
        m.prices = prices.length == 0 ? new uint256[](n) : prices;
        m.held = new uint256[](n);
        for (uint256 i; i < n; ++i) m.held[i] = Tokens.balance(s.assets[i].token, account);
        m.native = account.balance;
        _appraise(s, account, m);
    }
}
