// One module and the files of `public`, into `dist`, which is committed: a build of the service needs no npm.

import { defineConfig } from "vite";
import { notices } from "./build/notices.mjs";

export default defineConfig(async ({ command }) => ({
  base: "./",
  plugins: [notices(), command === "serve" && !process.env.VITEST && (await import("./dev/served.mjs")).served()],
  build: {
    target: "es2022",
    outDir: "dist",
    emptyOutDir: true,
    modulePreload: false,
    rollupOptions: {
      input: "src/waypost.ts",
      preserveEntrySignatures: "strict",
      output: { entryFileNames: "waypost.js", codeSplitting: false },
    },
  },
  test: { include: ["test/**/*.test.ts"], testTimeout: 60_000, expect: { poll: { timeout: 20_000 } }, hookTimeout: 60_000, fileParallelism: false },
}));
