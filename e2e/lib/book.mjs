// The pages people read, block by block: every fence of the README, SECURITY.md, the book and the examples of crates.
import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = path.join(path.dirname(fileURLToPath(import.meta.url)), "..", "..");

/** The README and every page of the book, by their paths in the repository. */
export function pages() {
  const book = readdirSync(path.join(ROOT, "docs")).filter((name) => name.endsWith(".md"));
  return ["README.md", "SECURITY.md", ...book.sort().map((name) => `docs/${name}`)].map((name) => {
    const text = readFileSync(path.join(ROOT, name), "utf8");
    return { name, text, blocks: blocks(text) };
  });
}

/**
 * The fenced blocks of a page: `{language, words, text, line}`. `words` is what stands behind the language and says
 * how the block is to be taken: ```` ```yaml namespace ````.
 */
export function blocks(text) {
  const found = [];
  let open;
  text.split("\n").forEach((line, index) => {
    const fence = /^(```+)(.*)$/.exec(line);
    if (!open && fence) {
      const [language = "", ...words] = fence[2].trim().split(/\s+/);
      open = { fence: fence[1], language, words, lines: [], line: index + 1 };
    } else if (open && line === open.fence) {
      const { language, words, lines, line } = open;
      found.push({ language, words, line, text: `${lines.join("\n")}\n` });
      open = undefined;
    } else {
      open?.lines.push(line);
    }
  });
  return found;
}

/** Where a page's links lead that are not to other sites: `{target, line}`. */
export function links(text) {
  return text.split("\n").flatMap((line, index) =>
    [...line.matchAll(/\]\((?!https?:|mailto:)([^)\s]+)\)/g)].map(([, target]) => ({ target, line: index + 1 })),
  );
}

/** The anchors that headings of a page make, as GitHub and mdBook make them. */
export function anchors(text) {
  const prose = text.replaceAll(/^```[\s\S]*?^```$/gm, "");
  return [...prose.matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}
