// The page's own copy of react-dom for UI plugins. Named one by one: a CommonJS package has no names to "export *".
export { default } from "react-dom";
export {
  createPortal,
  flushSync,
  preconnect,
  prefetchDNS,
  preinit,
  preinitModule,
  preload,
  preloadModule,
  requestFormReset,
  useFormState,
  useFormStatus,
  version,
} from "react-dom";
