/** Shell programs are real files, embedded as text: `import text from "./x.sh" with { type: "text" }`. */
declare module "*.sh" {
  const text: string;
  export default text;
}

declare module "*.bash" {
  const text: string;
  export default text;
}
