// The page's own copy of react/jsx-runtime for UI plugins. Named one by one: a CommonJS package has no names to "export *".
export {
  Fragment,
  jsx,
  jsxs,
} from "react/jsx-runtime";
