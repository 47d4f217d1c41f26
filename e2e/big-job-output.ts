const RED = "\u001b[31m";
const GREEN = "\u001b[32m";
const YELLOW = "\u001b[1;33m";
const DIM = "\u001b[2m";
const RESET = "\u001b[0m";

/** Output of a step as programs write it, in colours, about so many bytes: lines of tests, builds and downloads, cut wherever the bytes end. */
export function outputText(from: number, bytes: number): string {
  let text = "";
  for (let index = from; text.length < bytes; index += 1) text += line(index);
  return text.slice(0, bytes);
}

function line(index: number): string {
  const number = (index * 2_654_435_761) % 997;
  const percent = index % 101;
  switch (index % 7) {
    case 0:
      return `tests/test_parse.py::test_row_${number} ${number % 11 === 0 ? `${RED}FAILED${RESET}` : `${GREEN}PASSED${RESET}`} ${DIM}[${`${percent}`.padStart(3)}%]${RESET}\n`;
    case 1:
      return `Downloading wheels ${"━".repeat(percent % 40)} ${percent}% ${number / 10} MB/s\r`;
    case 2:
      return `${YELLOW}warning${RESET}: unused variable \`row_${number}\` at src/importer/parse.py:${number}:${percent}\n`;
    case 3:
      return `${`${number}`.padStart(6)} function calls in ${(number / 1_000).toFixed(3)} seconds, ordered by cumulative time\n`;
    case 4:
      return `[${new Date(1_700_000_000_000 + index * 1_000).toISOString()}] INFO importer.batch: wrote ${number * 5} rows to sales_${percent}.parquet in ${number} ms (${percent} % done, ${"id,region,amount,".repeat(number % 4)}…)\n`;
    case 5:
      return `\u001b[38;5;${number % 256}m●\u001b[0m \u001b[38;2;${number % 255};${percent};200mregion ${number}\u001b[0m  ✓ žluťoučký kůň ${percent}\n`;
    default:
      return `  ${number}\tdef parse_${number}(line: str) -> Row: return Row(*line.split(","))\n`;
  }
}
