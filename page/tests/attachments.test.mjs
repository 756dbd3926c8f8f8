// Pictures and files beside a message: by button, paste and drop; what cannot be sent is refused in words.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { answered, freshName, tab, world } from "./world.mjs";

const PIXEL = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==", "base64");

/** Bytes that are no text: whoever took them for one would spoil them. */
const PDF = Buffer.concat([Buffer.from("%PDF-1.4\n%"), Buffer.from([0xe2, 0xe3, 0xcf, 0xd3]), Buffer.from("\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n")]);

/** Drops or pastes a file, as a browser does. */
const handed = (page, how, name, type, text) =>
  page.locator("#composer").evaluate(
    (field, [how, name, type, text]) => {
      const data = new DataTransfer();
      data.items.add(new File([text], name, { type }));
      const event = how === "paste" ? new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }) : new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
      field.dispatchEvent(event);
    },
    [how, name, type, text],
  );

describe("attachments", () => {
  const it = world();

  test("a picture is shown before it is sent, after, and in another tab", async () => {
    const context = await it.context();
    const name = freshName();
    const [page, other] = [await tab(it, context, name), await tab(it, context, name)];
    await page.locator('input[type="file"]').setInputFiles({ name: "pixel.png", mimeType: "image/png", buffer: PIXEL });
    await page.locator(".attachment img").waitFor();
    await page.locator("#composer").fill("hello");
    await page.locator("#composer").press("Enter");
    await answered(page, "Hello yourself!");
    assert.equal(await page.locator(".attachment").count(), 0);
    for (const one of [page, other]) {
      await one.locator('.said img.attached[alt="pixel.png"]').waitFor();
      assert.ok(await one.locator(".said img.attached").evaluate((image) => image.decode().then(() => image.naturalWidth === 1)));
    }
    assert.deepEqual([...page.errors, ...other.errors], []);
    await context.close();
  });

  test("a file of text is attached by drop or paste, taken off again, and read by the agent", async () => {
    const context = await it.context();
    const page = await tab(it, context, freshName());
    await handed(page, "drop", "notes.md", "text/markdown", "# Buy milk\n");
    await handed(page, "paste", "second.txt", "text/plain", "not this\n");
    await page.locator(".attachment").filter({ hasText: "second.txt" }).waitFor();
    await page.getByRole("button", { name: "Take off second.txt" }).click();
    await page.locator(".attachment").filter({ hasText: "second.txt" }).waitFor({ state: "detached" });
    await page.locator("#composer").fill("what is in it");
    await page.locator("#composer").press("Enter");
    await answered(page, "Buy milk");
    await page.locator(".said .chip").filter({ hasText: "notes.md" }).waitFor();
    await context.close();
  });

  test("a PDF is attached as it is, and stands beside the message in every tab", async () => {
    const context = await it.context();
    const name = freshName();
    const [page, other] = [await tab(it, context, name), await tab(it, context, name)];
    await page.locator('input[type="file"]').setInputFiles({ name: "paper.pdf", mimeType: "application/pdf", buffer: PDF });
    await page.locator(".attachment").filter({ hasText: "paper.pdf" }).waitFor();
    await page.locator("#composer").fill("hello");
    await page.locator("#composer").press("Enter");
    await answered(page, "Hello yourself!");
    for (const one of [page, other]) await one.locator(".said .chip").filter({ hasText: "paper.pdf" }).waitFor();
    const said = await (await fetch(`${it.url}/agents/coder/${name}/get-messages`)).json();
    const [file] = said.flatMap(({ parts }) => parts).filter(({ type }) => type === "file");
    assert.deepEqual([file.mediaType, file.filename], ["application/pdf", "paper.pdf"]);
    assert.deepEqual(Buffer.from(file.url.split(",")[1], "base64"), PDF);
    assert.deepEqual([...page.errors, ...other.errors], []);
    await context.close();
  });

  test("what no model reads is refused by name", async () => {
    const context = await it.context();
    const page = await tab(it, context, freshName());
    await handed(page, "drop", "setup.exe", "application/x-msdownload", "MZ\u0000\u0001");
    await page.getByRole("alert").filter({ hasText: "setup.exe" }).waitFor();
    assert.equal(await page.locator(".attachment").count(), 0);
    await context.close();
  });
});
