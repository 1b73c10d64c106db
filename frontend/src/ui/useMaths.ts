import { useEffect, useState } from "react";

type Maths = typeof import("./maths");
let fetched: Maths | undefined;

/** What sets formulas, as soon as it is there; most answers have none, so nobody waits for it at the start. */
export function useMaths(wanted: boolean): Maths | undefined {
  const [maths, setMaths] = useState(fetched);
  useEffect(() => {
    if (!wanted || maths) return;
    let left = false;
    import("./maths").then(
      (module) => {
        fetched = module;
        if (!left) setMaths(module);
      },
      // Without a network formulas stay as they were written.
      () => undefined,
    );
    return () => {
      left = true;
    };
  }, [wanted, maths]);
  return maths;
}
