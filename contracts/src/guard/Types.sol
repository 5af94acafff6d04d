// SPDX-License-Identifier: MIT
pragma solidity 0.8.27;

// What an owner allows, what an executor asks for, and every way to be refused.

/// The lending protocol that holds the position.
enum Protocol {
    AaveV3,
    MorphoBlue,
    CompoundV2
}

/// What the answer to a step must be. `Foreign`: the target is none of the lending protocol's, so
/// that the owner's rules decide.
enum Answer {
    Foreign,
    Refused,
    Any,
    Zero,
    True
}

enum LenderKind {
    Morpho,
    BalancerV2,
    AaveV3
}

/// One step of an intent.
/// `token` and `amount`: an exact approval of a watched token to `target`, zeroed after the step.
/// `fill`: 0, or one more than the index of an argument word. That word, and `amount`, become what
/// the execution has gained of `token` so far, less what it owes the flash lender.
/// `value`: native coin to send; the greatest number stands for all that was gained of it.
struct Call {
    address target;
    uint256 value;
    address token;
    uint256 amount;
    uint256 fill;
    bytes data;
}

/// What the executor asks for. Limits may only be stricter than the policy's.
/// `deadline` is in seconds, `maxBaseFee` in wei, health is wad. Without `flashAmount` the calls
/// run without a flash loan.
struct Intent {
    bytes32 id;
    uint256 deadline;
    uint256 maxBaseFee;
    uint256 minHealthFactorAfter;
    uint256 maxLossBps;
    address flashToken;
    uint256 flashAmount;
    Call[] calls;
}

/// The owner's limits. Values are in the protocol's own unit of account: Aave's base currency
/// (1e8 a dollar), Morpho's loan token (base units), Compound's dollars (1e18).
struct Policy {
    address executor;
    uint64 validUntil; // seconds; the policy is void afterwards
    uint32 cooldown; // seconds between two executions
    address guardian; // may pause, nothing else; zero for none
    uint32 window; // seconds in which a used-up allowance refills
    uint16 maxLossBps; // of the position's equity, each execution
    uint16 maxFlashFeeBps; // a dearer lender is passed over
    Protocol protocol;
    bool mayBorrow; // for debt swaps: debt as a whole may still not grow
    address market; // Aave's Pool, Morpho, or Compound's Comptroller
    uint96 maxBaseFee; // wei
    bytes32 marketId; // Morpho's market; else zero
    uint128 trigger; // wad; with better health nothing may be done
    uint128 floor; // wad; health afterwards is at least this
    uint128 ceiling; // wad; and at most this; the greatest number for no limit
    uint128 maxWindowLoss; // value; all executions together, refilled over `window`
}

/// A watched token; the zero address is the native coin.
/// `market`: what gives its price, and zero for none: Aave's reserve, Compound's cToken, Morpho
/// itself. `position`: whether supply and debt of that market are part of the position.
/// `maxOutflow`: base units that may leave the account's own balance, refilled over `window`.
struct Asset {
    address token;
    address market;
    bool position;
    uint128 maxOutflow;
}

struct Lender {
    LenderKind kind;
    address lender;
}

/// A function that may be called, beside those of the lending protocol itself.
/// `pins`: bit i is set if argument word i must be exactly one of the rules' words; all rules of a
/// function have the same pins. `words`: those words, in order. `permit2`: the approval of the step
/// is given through Permit2.
struct Rule {
    address target;
    bytes4 selector;
    bool permit2;
    uint128 pins;
    bytes32[] words;
}

/// An allowance that refills steadily: over any time T at most cap · (1 + T / window) is spent.
struct Bucket {
    uint128 spent;
    uint64 at;
}

/// A watched token as kept. `source`: aToken or cToken of a position, else what gives the price.
struct Kept {
    address token;
    uint8 decimals;
    bool position;
    address source;
    address debtToken; // Aave's variable debt
    uint128 maxOutflow;
    Bucket outflow;
}

/// A position and a wallet at one moment, in the protocol's unit of account.
/// `worth`: watched and priced tokens in hand, plus supply, less debt. `equity`: without the tokens
/// in hand. `held`: tokens in hand, in the order of the assets. `prices`: as they were before.
struct Measure {
    uint256 health;
    uint256 debt;
    int256 worth;
    int256 equity;
    uint256 native;
    uint256[] held;
    uint256[] prices;
}

error NotConfigured();
error NotOwner(address caller);
error NotExecutor(address caller);
error MayNotPause(address caller);
error BadPolicy(bytes32 what);
error RuleTooPowerful(address target, bytes4 selector);

error Reentered();
error IsPaused();
error PolicyExpired(uint256 validUntil);
error Expired(uint256 deadline);
error BaseFeeTooHigh(uint256 baseFee, uint256 cap);
error AlreadyUsed(bytes32 id);
error OncePerBlock();
error CoolingDown(uint256 until);
error LooserThanPolicy(bytes32 what);
error HealthAboveTrigger(uint256 health, uint256 trigger);

error CallNotAllowed(address target, bytes4 selector);
error CallTooShort(address target);
error TokenNotWatched(address token);
error TokenFailed(address token);
error StepFailed(uint256 step, bytes reason);
error UnexpectedCallback(address caller);
error FlashFeeTooHigh(uint256 fee, uint256 cap);
error FlashNotCovered(uint256 owed, uint256 held);
error NoFlashLender(address token, uint256 amount);

error NoPrice(address token);
error OracleMoved(uint256 before, uint256 afterwards);
error DebtUp(uint256 before, uint256 afterwards);
error HealthTooLow(uint256 health, uint256 least);
error HealthTooHigh(uint256 health, uint256 most);
error LossTooHigh(uint256 loss, uint256 most);
error WindowLossTooHigh(uint256 loss, uint256 left);
error OutflowTooHigh(address token, uint256 outflow, uint256 left);
