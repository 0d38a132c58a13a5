// Builds both kinds of module from the same sources.
import { spawnSync } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

const here = path.dirname(fileURLToPath(import.meta.url));
const tsc = path.join(path.dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin", "tsc");

rmSync(path.join(here, "dist"), { recursive: true, force: true });
for (const config of ["tsconfig.json", "tsconfig.cjs.json"]) {
  const { status } = spawnSync(process.execPath, [tsc, "--project", config], { cwd: here, stdio: "inherit" });
  if (status !== 0) process.exit(1);
}
// The package is of ES modules; this folder of it is not.
writeFileSync(path.join(here, "dist/cjs/package.json"), '{ "type": "commonjs" }\n');
