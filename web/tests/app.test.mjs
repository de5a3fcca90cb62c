// node --test web/tests/
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { signature } from "../app/api.js";
import { parse } from "../app/chat.js";
import { audioConfiguration, videoFrame } from "../app/flv.js";
import { md5 } from "../app/md5.js";
import { zh } from "../app/zh.js";

const app = new URL("../app/", import.meta.url);
const reference = (text) => createHash("md5").update(text).digest("hex");

test("md5 is that of RFC 1321", () => {
  assert.equal(md5(""), "d41d8cd98f00b204e9800998ecf8427e");
  assert.equal(md5("message digest"), "f96b697d7cb7938d525a2f31aaf161d0");
});

test("md5 agrees with Node at every length of a block, and beyond ASCII", () => {
  for (let length = 0; length < 200; length++) assert.equal(md5("a".repeat(length)), reference("a".repeat(length)));
  for (const text of ["小直播 👋", "é".repeat(1000), "x".repeat(100_000)]) assert.equal(md5(text), reference(text));
});

test("a call is signed over the bytes of its body", () => {
  const body = '{"userid":"alice","title":"海边","timestamp":1700000000,"expires":60}';
  assert.equal(signature("token", body), reference("token" + reference(body)));
});

test("a message of a stranger is a few short texts, or nothing", () => {
  const message = { kind: "text", userid: "bob", nickname: "<b>", text: "x".repeat(100_000) };
  assert.equal(parse(JSON.stringify(message))?.text.length, 500);
  assert.deepEqual(parse('{"kind":"like","userid":"bob","text":7}'), { kind: "like", userid: "bob", nickname: "", text: "" });
  for (const data of ["", "null", "[]", "{", '{"kind":"ban","userid":"bob"}', '{"kind":"text","userid":{}}', new ArrayBuffer(1)]) {
    assert.equal(parse(data), null);
  }
});

test("a message to the live cloud is kind, time and the body of a tag", () => {
  assert.deepEqual([...videoFrame(0x01020304, true, Uint8Array.of(9))], [9, 1, 2, 3, 4, 0x17, 1, 0, 0, 0, 9]);
  assert.deepEqual([...audioConfiguration(0, Uint8Array.of(0x12, 0x10))], [8, 0, 0, 0, 0, 0xaf, 0, 0x12, 0x10]);
});

test("every text is there in Chinese, with the same values, and no other", () => {
  const files = readdirSync(app, { recursive: true }).filter((file) => file.endsWith(".js") && file !== "zh.js");
  const source = files.map((file) => readFileSync(new URL(file, app), "utf8")).join("\n");
  const used = new Set([...source.matchAll(/\bt\(\s*"([^"]+)"/g)].map(([, text]) => text));
  const values = (text) => (text.match(/\{\w+\}/g) ?? []).sort();
  for (const text of used) assert.deepEqual(values(zh[text] ?? ""), values(text), text);
  for (const text of used) assert.ok(zh[text], text);
  for (const text of Object.keys(zh)) assert.ok(source.includes(`"${text}"`), text);
});

test("no module is long", () => {
  for (const file of readdirSync(app, { recursive: true }).filter((name) => /\.(js|css)$/.test(name))) {
    assert.ok(readFileSync(new URL(file, app), "utf8").split("\n").length <= 400, file);
  }
});
