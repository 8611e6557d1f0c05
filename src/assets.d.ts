/** Shell programs are real files, embedded as text: `import text from "./x.sh" with { type: "text" }`. */
declare module "*.sh" {
  const text: string;
  export default text;
}

declare module "*.bash" {
  const text: string;
  export default text;
}

declare module "*.zsh" {
  const text: string;
  export default text;
}

declare module "*.fish" {
  const text: string;
  export default text;
}

/** Programs of WebAssembly are files that the tool carries: `import path from "x.wasm" with { type: "file" }`. */
declare module "*.wasm" {
  const path: string;
  export default path;
}
