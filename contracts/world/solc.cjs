// Run one standard-JSON compilation: node solc.cjs <directory of the solc package> <input file>.
// solc's own command line reads standard input in a way that fails on some pipes.
const fs = require("fs");
const [directory, input] = process.argv.slice(2);
process.stdout.write(require(directory).compile(fs.readFileSync(input, "utf8")));
