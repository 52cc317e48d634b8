// Drives the pages in a real Chromium, as a person with a keyboard and without scripts would, and looks at them with axe.
// Takes {base, token, question, shots} as JSON on standard input; prints what was seen as JSON. Judges nothing.

import { readFileSync, mkdirSync } from "node:fs";
import { AxeBuilder } from "@axe-core/playwright";
import { chromium } from "playwright-core";

const task = JSON.parse(readFileSync(0, "utf8"));
mkdirSync(task.shots, { recursive: true });
const seen = { pages: {}, violations: [], requests: [], troubles: [], tabs: {} };

function watch(page) {
  page.on("request", (request) => seen.requests.push(request.url()));
  // A form that is refused is answered so; Chromium calls it a failure to load.
  const refused = /responded with a status of (403|422) /;
  page.on("console", (message) => refused.test(message.text()) || seen.troubles.push(message.text()));
  page.on("pageerror", (error) => seen.troubles.push(String(error)));
}

async function look(page, name) {
  seen.pages[name] = await page.content();
  await page.screenshot({ path: `${task.shots}/${name}.png`, fullPage: true });
}

// Presses Tab until the wanted element has the focus; how often, or never.
async function tabTo(page, selector, most = 400) {
  for (let count = 1; count <= most; count += 1) {
    await page.keyboard.press("Tab");
    if (await page.evaluate((wanted) => document.activeElement.matches(wanted), selector)) {
      const style = await page.evaluate(() => {
        const { outlineStyle, boxShadow, backgroundColor } = getComputedStyle(document.activeElement);
        return outlineStyle !== "none" || boxShadow !== "none" || backgroundColor === "rgb(255, 221, 0)";
      });
      // GOV.UK Frontend draws the focus of a radio on the label's frame.
      return style || selector.includes("radio") ? count : `${count}, but nobody sees the focus`;
    }
  }
  return null;
}

async function byKeyboard(browser) {
  const context = await browser.newContext({ javaScriptEnabled: false, viewport: { width: 1200, height: 900 } });
  const page = await context.newPage();
  watch(page);
  await page.goto(`${task.base}/`);
  seen.tabs.skip = await tabTo(page, ".govuk-skip-link");
  await page.keyboard.press("Enter");
  seen.tabs.performance = await tabTo(page, "a[href='/performance'], .priorityd-scroll");
  await look(page, "front");
  await page.goto(`${task.base}/performance`);
  seen.tabs.summary = await tabTo(page, "summary");
  await page.keyboard.press("Enter");
  await look(page, "performance");
  seen.columns = await page.locator(".priorityd-chart details[open] th[scope=col]").allTextContents();
  seen.rows = await page.locator(".priorityd-chart details[open] tbody tr").evaluateAll((rows) =>
    rows.map((row) => [...row.children].map((cell) => cell.textContent)),
  );
  const link = await page.locator(".priorityd-chart a[download]").first().getAttribute("href");
  seen.csv = await (await context.request.get(task.base + link)).text();
  seen.drawings = await page.locator(".priorityd-chart svg[role=img] > title + desc").count();
  seen.sections = await page.locator(".priorityd-chart").count();

  await page.goto(`${task.base}/review`);
  seen.turned_to = page.url();
  seen.tabs.token = await tabTo(page, "#token");
  await page.keyboard.type("nobody's");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".govuk-error-summary");
  await look(page, "refused");
  await tabTo(page, "#token");
  await page.keyboard.type(task.token);
  await page.keyboard.press("Enter");
  await page.waitForURL(`${task.base}/review`);
  await look(page, "queue");
  seen.cookies = await context.cookies();
  seen.tabs.question = await tabTo(page, `a[href='/review/${task.question}']`);
  await page.keyboard.press("Enter");
  await page.waitForURL(`${task.base}/review/${task.question}`);
  await look(page, "question");
  seen.tabs.button = await tabTo(page, "button[type=submit]");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".govuk-error-summary");
  await look(page, "unanswered");
  seen.tabs.error = await tabTo(page, ".govuk-error-summary a");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Space");
  seen.tabs.reason = await tabTo(page, "#reason");
  await page.keyboard.type("The agencies' own");
  await tabTo(page, "button[type=submit]");
  await page.keyboard.press("Enter");
  await page.waitForSelector(".govuk-notification-banner--success");
  await look(page, "answered");
  seen.answered = page.url();
  await context.close();
}

async function withAxe(browser) {
  const context = await browser.newContext();
  const page = await context.newPage();
  watch(page);
  const analyse = async (name) => {
    const { violations } = await new AxeBuilder({ page }).analyze();
    seen.violations.push(...violations.map(({ id, nodes }) => `${name}: ${id}: ${nodes[0].html}`));
    seen.analysed = (seen.analysed ?? 0) + 1;
  };
  await page.goto(`${task.base}/`);
  await analyse("front");
  await page.goto(`${task.base}/performance`);
  await page.locator("summary").first().click();
  await analyse("performance");
  await page.goto(`${task.base}/review/sign-in`);
  await analyse("sign-in");
  await page.keyboard.press("Tab");
  await page.locator("button").click();
  await analyse("refused");
  await page.fill("#token", task.token);
  await page.locator("button").click();
  await page.waitForURL(`${task.base}/review`);
  await analyse("queue");
  await page.goto(`${task.base}/review/${task.question}`);
  await analyse("question");
  await page.locator("button").click();
  await analyse("unanswered");
  // The axe of the tests must see something: the same page, spoilt.
  const { violations } = await (async () => {
    await page.evaluate(() => document.querySelector("label[for=reason]").remove());
    return new AxeBuilder({ page }).analyze();
  })();
  seen.spoilt = violations.map(({ id }) => id);
  await page.goto(`${task.base}/review/${task.question}`);
  const secret = await page.locator("input[name=form]").first().inputValue();
  await forge(context, secret);
  await context.close();
}

// What must not do anything.
async function forge(context, secret) {
  const [cookie] = await context.cookies();
  const url = `${task.base}/review/${task.question}`;
  const body = (form) => new URLSearchParams({ form, decision: "same", reason: "records_compared" });
  const send = async (headers, form) => {
    const answer = await fetch(url, { method: "POST", headers, body: body(form), redirect: "manual" });
    return [answer.status, answer.headers.get("location")];
  };
  const signedIn = { cookie: `${cookie.name}=${cookie.value}` };
  seen.forged = {
    nobody: await send({}, secret),
    another_cookie: await send({ cookie: `${cookie.name}=${"0".repeat(64)}` }, secret),
    without_secret: await send(signedIn, ""),
    another_secret: await send(signedIn, "0".repeat(64)),
    another_site: await send({ ...signedIn, "sec-fetch-site": "cross-site" }, secret),
  };
  const read = await fetch(url, { headers: signedIn });
  seen.headers = Object.fromEntries(read.headers);
  seen.too_long = (await fetch(url, { method: "POST", headers: signedIn, body: new URLSearchParams({ form: "x".repeat(20000) }) })).status;
  await context.request.post(`${task.base}/review/sign-out`, { form: { form: secret }, maxRedirects: 0 });
  const after = await fetch(url, { headers: signedIn, redirect: "manual" });
  seen.signed_out = [after.status, after.headers.get("location")];
}

const args = process.getuid() === 0 ? ["--no-sandbox"] : [];
const browser = await chromium.launch({ executablePath: task.chromium, args });
try {
  await withAxe(browser);
  await byKeyboard(browser);
} finally {
  await browser.close();
}
process.stdout.write(JSON.stringify(seen));
