// A business server of the test, with its live cloud, at free ports and with its data in a temporary folder.
import { spawn } from "node:child_process";
import { createWriteStream, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fault } from "./faults.mjs";

export class Server {
  /** @param {string} program @param {string} log */
  static async start(program, log) {
    const folder = mkdtempSync(join(tmpdir(), "mini-lvb-see-"));
    const child = spawn(program, ["--listen", "127.0.0.1:0", "--data", folder], { stdio: ["ignore", "pipe", "pipe"] });
    child.stderr.pipe(createWriteStream(log));
    const ended = new Promise((resolve) => child.once("exit", resolve));
    for await (const line of createInterface({ input: child.stdout })) {
      const [, url] = line.match(/^mini-lvb serves at (\S+)/) ?? [];
      if (url) return new Server(child, ended, folder, url);
    }
    throw new Error(`the server does not start: ${readFileSync(log, "utf8")}`);
  }

  constructor(child, ended, folder, url) {
    Object.assign(this, { child, ended, folder, url });
  }

  /** Calls a command of operators, as `mini-lvb callbacks` does. @param {string} command @param {object} fields */
  async operate(command, fields) {
    const [, key] = readFileSync(join(this.folder, "settings.toml"), "utf8").match(/^OPERATOR_KEY = "(.*)"$/m) ?? [];
    const headers = { "Content-Type": "application/json", "X-Operator-Key": key ?? "" };
    const answer = await fetch(`${this.url}/${command}`, { method: "POST", headers, body: JSON.stringify(fields) });
    const { code, message, data } = await answer.json();
    if (code !== 200) throw new Error(`${command}: ${code} ${message}`);
    return data;
  }

  async stop() {
    this.child.kill("SIGTERM");
    const code = await this.ended;
    if (code !== 0) fault("server", `it stops with ${code}`);
    rmSync(this.folder, { recursive: true, force: true });
  }
}
