// SPDX-License-Identifier: MIT
pragma solidity 0.8.26;

/// Tokens that a wallet meets and a careless reader trips over. Ours, and stand-ins for no
/// particular token: each shows one oddity that real tokens have shown.

/// Just enough of ERC-20 to hold a balance; anyone mints.
abstract contract Ledger {
    mapping(address => uint256) public balanceOf;
    mapping(address => mapping(address => uint256)) public allowance;
    uint256 public totalSupply;

    function mint(address to, uint256 amount) external returns (bool) {
        unchecked {
            totalSupply += amount;
            balanceOf[to] += amount;
        }
        return true;
    }

    function approve(address spender, uint256 amount) external returns (bool) {
        allowance[msg.sender][spender] = amount;
        return true;
    }

    function transfer(address to, uint256 amount) external returns (bool) {
        balanceOf[msg.sender] -= amount;
        balanceOf[to] += amount;
        return true;
    }
}

/// Name and symbol are bytes32, as in tokens of 2017.
contract Bytes32Token is Ledger {
    bytes32 public constant name = "Old Maker";
    bytes32 public constant symbol = "OMKR";
    uint256 public constant decimals = 18;
}

/// `decimals` was optional in ERC-20 and is absent here.
contract NoDecimalsToken is Ledger {
    string public constant name = "No Decimals";
    string public constant symbol = "NODEC";
}

/// A paused token whose balances cannot be read at all.
contract RevertingToken {
    string public constant name = "Reverting";
    string public constant symbol = "RVRT";
    uint8 public constant decimals = 18;

    error Paused();

    function balanceOf(address) external pure returns (uint256) {
        revert Paused();
    }

    function allowance(address, address) external pure returns (uint256) {
        revert Paused();
    }
}
