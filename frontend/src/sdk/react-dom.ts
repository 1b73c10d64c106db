// The page's own copy of react-dom for UI plugins. Named one by one: a CommonJS package has no names to "export *".
export {
  createPortal,
  default,
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
