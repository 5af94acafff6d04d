// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

// What a guard must withstand: a router that keeps what it takes, a token that calls back.

interface IERC20 {
    function transferFrom(address from, address to, uint256 amount) external returns (bool);
    function transfer(address to, uint256 amount) external returns (bool);
    function balanceOf(address who) external view returns (uint256);
}

/// Trusted by name, faithless by deed: takes `amountIn` and pays `amountOut` of what it holds.
contract FaithlessRouter {
    error Refused();

    function swap(address tokenIn, uint256 amountIn, address tokenOut, uint256 amountOut, address to)
        external
    {
        IERC20(tokenIn).transferFrom(msg.sender, address(this), amountIn);
        if (amountOut != 0) IERC20(tokenOut).transfer(to, amountOut);
    }

    /// Take what an earlier approval left.
    function take(address token, address from, uint256 amount) external {
        IERC20(token).transferFrom(from, address(this), amount);
    }

    function keep() external payable {}

    function fail() external pure {
        revert Refused();
    }

    /// Do anything, so that a step can reenter.
    function relay(address to, bytes calldata data) external {
        (bool ok, bytes memory why) = to.call(data);
        if (!ok) {
            assembly {
                revert(add(why, 32), mload(why))
            }
        }
    }
}

/// A token that calls somewhere in every transfer.
contract CallingToken {
    uint8 public constant decimals = 18;
    mapping(address => uint256) public balanceOf;
    mapping(address => mapping(address => uint256)) public allowance;
    address public target;
    bytes public data;

    function plan(address target_, bytes calldata data_) external {
        (target, data) = (target_, data_);
    }

    function mint(address to, uint256 amount) external {
        balanceOf[to] += amount;
    }

    function approve(address spender, uint256 amount) external returns (bool) {
        allowance[msg.sender][spender] = amount;
        return true;
    }

    function transferFrom(address from, address to, uint256 amount) external returns (bool) {
        allowance[from][msg.sender] -= amount;
        (bool ok, bytes memory why) = target.call(data);
        if (!ok) {
            assembly {
                revert(add(why, 32), mload(why))
            }
        }
        balanceOf[from] -= amount;
        balanceOf[to] += amount;
        return true;
    }
}

/// A lender that gives and calls back, but with other data, or for another.
contract FalseLender {
    address public target;
    bytes public other;

    function plan(address target_, bytes calldata other_) external {
        (target, other) = (target_, other_);
    }

    function flashLoan(address token, uint256 assets, bytes calldata) external {
        IERC20(token).transfer(msg.sender, assets);
        (bool ok, bytes memory why) = msg.sender.call(
            abi.encodeWithSignature("onMorphoFlashLoan(uint256,bytes)", assets, other)
        );
        if (!ok) {
            assembly {
                revert(add(why, 32), mload(why))
            }
        }
        IERC20(token).transferFrom(msg.sender, address(this), assets);
    }
}
