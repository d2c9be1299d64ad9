// What Chromium thinks of a page: whether it is a secure context, how many microphones
// it may have, and by which protocol it came. One JSON object on standard output.
//
//   node secure.mjs URL HTTPS-ADDRESS HTTP-ADDRESS TRUST
//
// Every https host leads to the first address, every http host to the second. TRUST is
// the SHA-256 of the public key of a certificate that is trusted, in base64.
import { createRequire } from 'node:module';

const require = createRequire(new URL('../../../origin/web/package.json', import.meta.url));
const { chromium } = require('playwright-core');
const [url, https, http, trust] = process.argv.slice(2);

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
  headless: true,
  args: [
    '--no-sandbox',
    '--disable-quic',
    '--disable-features=HttpsUpgrades',
    '--use-fake-device-for-media-stream',
    '--use-fake-ui-for-media-stream',
    `--host-resolver-rules=MAP *:443 ${https}, MAP *:80 ${http}`,
    `--ignore-certificate-errors-spki-list=${trust}`,
  ],
});
try {
  const page = await browser.newPage();
  await page.goto(url, { waitUntil: 'load' });
  const seen = await page.evaluate(async () => {
    let microphones = 0;
    try {
      microphones = (await navigator.mediaDevices.getUserMedia({ audio: true })).getAudioTracks().length;
    } catch {
      // The page may have none, or is not secure and there is no such thing.
    }
    const { nextHopProtocol: protocol } = performance.getEntriesByType('navigation')[0];
    return { secure: window.isSecureContext, microphones, protocol };
  });
  console.log(JSON.stringify(seen));
} finally {
  await browser.close();
}
