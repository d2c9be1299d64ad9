// Reads playlists with hls-parser in strict mode. Arguments: files. Output: a line of
// JSON for each, {"file", "error"}; error is empty when the parser has no objection.
// Exit code 0 when all files could be judged, 2 when one could not be read.
import { readFileSync } from 'node:fs';
import HLS from 'hls-parser';

// Objections come as errors; what it says besides is no output of ours.
console.error = console.warn = console.log = () => {};
HLS.setOptions({ strictMode: true, silent: true });

for (const file of process.argv.slice(2)) {
  let text;
  try {
    text = readFileSync(file, 'utf8');
  } catch (err) {
    process.stderr.write(`judge: ${err.message}\n`);
    process.exit(2);
  }
  let error = '';
  try {
    HLS.parse(text);
  } catch (err) {
    error = err.message || String(err);
  }
  process.stdout.write(JSON.stringify({ file, error }) + '\n');
}
