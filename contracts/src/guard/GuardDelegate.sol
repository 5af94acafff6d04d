// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

import {Guard} from "./Guard.sol";
import {Store, Transient} from "./Store.sol";
import {Measure} from "./Types.sol";

/// @title A guard that is the account: what an EOA with a position delegates to (EIP-7702).
/// @notice Configure by a call of the account to itself in the transaction that delegates. Until
/// then, and wherever this is called without being delegated to, everyone is refused. Delegate the
/// account with the position, never the executor's.
///
/// After the delegation is taken away the configuration stays in the account's storage. Should the
/// account delegate here again it is in force again, if `validUntil` has not passed: configure in
/// that transaction too.
abstract contract GuardDelegate is Guard {
    function _account() internal view override returns (address) {
        return address(this);
    }

    function _remember(Measure memory before) internal override {
        for (uint256 i; i < before.held.length; ++i) {
            Transient.set(Transient.held(i), before.held[i]);
        }
        Transient.set(Transient.NATIVE, before.native);
    }

    function _sendHome(Store storage) internal override {}

    /// @notice ERC-1271: code at the account must not take its key's signatures away.
    function isValidSignature(bytes32 digest, bytes calldata signature)
        external
        view
        returns (bytes4)
    {
        if (signature.length != 65) return 0xffffffff;
        bytes32 r = bytes32(signature[:32]);
        bytes32 s = bytes32(signature[32:64]);
        // The higher of the two s that fit is refused, as by everyone else.
        bool low = uint256(s) <= 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0;
        bool ours = low && ecrecover(digest, uint8(signature[64]), r, s) == address(this);
        return ours ? this.isValidSignature.selector : bytes4(0xffffffff);
    }

    function onERC721Received(address, address, uint256, bytes calldata)
        external
        pure
        returns (bytes4)
    {
        return this.onERC721Received.selector;
    }

    function onERC1155Received(address, address, uint256, uint256, bytes calldata)
        external
        pure
        returns (bytes4)
    {
        return this.onERC1155Received.selector;
    }

    function onERC1155BatchReceived(
        address,
        address,
        uint256[] calldata,
        uint256[] calldata,
        bytes calldata
    ) external pure returns (bytes4) {
        return this.onERC1155BatchReceived.selector;
    }

    function supportsInterface(bytes4 id) external pure returns (bool) {
        // ERC-165, ERC-1155 receiver, ERC-1271.
        return id == 0x01ffc9a7 || id == 0x4e2312e0 || id == 0x1626ba7e;
    }
}
