// The page in Chromium: what a person sees and does there.
import { setTimeout as sleep } from "node:timers/promises";

/** A tab with the conversation. */
export async function openPage(browser, url, name) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, reducedMotion: "reduce" });
  const page = await context.newPage();
  const it = { errors: [] };
  const lost = /Failed to load resource|WebSocket connection|ERR_CONNECTION/;
  page.on("pageerror", (error) => it.errors.push(error.message));
  page.on("console", (message) => message.type() === "error" && !lost.test(message.text()) && it.errors.push(message.text()));
  await page.goto(`${url.origin}/c/${name}`);
  await page.locator('.link[data-phase="open"]').waitFor({ timeout: 60_000 });
  // A red box that comes and goes is one all the same.
  await page.evaluate(() => {
    window.alerts = [];
    const look = () => document.querySelectorAll('[role="alert"]').forEach((box) => window.alerts.push(box.innerText));
    new MutationObserver(look).observe(document.body, { subtree: true, childList: true });
  });
  const isOpen = () => page.locator('.link[data-phase="open"]').count();
  /** Says yes to the question about this call; false if it is not there. */
  it.allow = async (approval) => {
    const button = page.locator(`.approval[data-approval="${approval}"]`).getByRole("button", { name: /^Allow/ });
    if (!(await button.count()) || !(await button.isEnabled().catch(() => false))) return false;
    return button.click({ timeout: 2000 }).then(() => true, () => false);
  };
  it.isAtRest = async () => (await isOpen()) && !(await page.locator('.answered[aria-busy="true"], .working, .approval').count());
  it.sees = () => page.locator(".column").innerText();
  it.calls = () => page.locator(".column .card").evaluateAll((cards) => cards.map(({ dataset }) => `${dataset.tool} ${dataset.state}`));
  it.wrong = async () => [...it.errors, ...(await page.evaluate(() => window.alerts))];
  it.state = async () => [it.errors, await page.locator(".link").getAttribute("data-phase"), await page.locator(".status, .failed-turn, .working").allInnerTexts(), (await it.sees()).slice(-600)].join(" | ");
  it.close = () => context.close();
  while (!(await isOpen())) await sleep(10);
  return it;
}
