// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

interface ILender {
    function flashLoan(address token, uint256 assets, bytes calldata data) external;
}

interface IApprove {
    function approve(address spender, uint256 amount) external returns (bool);
}

/// The steps of a rescue and nothing else: what a guard's checks are measured against. Anyone may
/// run anything here, so it must never hold anything.
contract Bare {
    struct Step {
        address target;
        uint256 value;
        bytes data;
    }

    function run(address lender, address token, uint256 amount, Step[] calldata steps) external {
        ILender(lender).flashLoan(token, amount, abi.encode(token, steps));
    }

    function onMorphoFlashLoan(uint256 assets, bytes calldata data) external {
        (address token, Step[] memory steps) = abi.decode(data, (address, Step[]));
        for (uint256 i; i < steps.length; ++i) {
            (bool ok, bytes memory why) = steps[i].target.call{value: steps[i].value}(steps[i].data);
            if (!ok) {
                assembly {
                    revert(add(why, 32), mload(why))
                }
            }
        }
        IApprove(token).approve(msg.sender, assets);
    }

    receive() external payable {}
}
