// SPDX-License-Identifier: MIT
pragma solidity 0.8.26;

/// Tokens that swap otherwise than they were quoted. Ours, and stand-ins for no particular token.

/// A whole ERC-20 whose transfers can be spoiled; anyone mints.
abstract contract Spoiled {
    uint8 public constant decimals = 18;
    uint256 public totalSupply;
    mapping(address => uint256) public balanceOf;
    mapping(address => mapping(address => uint256)) public allowance;

    function mint(address to, uint256 amount) external returns (bool) {
        totalSupply += amount;
        balanceOf[to] += amount;
        return true;
    }

    function approve(address spender, uint256 amount) external returns (bool) {
        allowance[msg.sender][spender] = amount;
        return true;
    }

    function transfer(address to, uint256 amount) external returns (bool) {
        move(msg.sender, to, amount);
        return true;
    }

    function transferFrom(address from, address to, uint256 amount) external returns (bool) {
        allowance[from][msg.sender] -= amount;
        move(from, to, amount);
        return true;
    }

    function move(address from, address to, uint256 amount) internal virtual {
        balanceOf[from] -= amount;
        balanceOf[to] += amount;
    }
}

/// Once armed, a transfer never comes to an end but for want of gas.
contract HangingToken is Spoiled {
    string public constant name = "Hanging";
    string public constant symbol = "HANG";
    bool public armed;

    function arm() external {
        armed = true;
    }

    function move(address from, address to, uint256 amount) internal override {
        while (armed) {}
        super.move(from, to, amount);
    }
}

/// One percent of each transfer is lost on the way.
contract SkimmingToken is Spoiled {
    string public constant name = "Skimming";
    string public constant symbol = "SKIM";

    function move(address from, address to, uint256 amount) internal override {
        uint256 skimmed = amount / 100;
        totalSupply -= skimmed;
        balanceOf[from] -= skimmed;
        super.move(from, to, amount - skimmed);
    }
}
