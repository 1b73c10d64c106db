import { sessions } from "@/app/wiring";
import { chosenModel } from "./model";

/** For the conversation on the page, and for the next new one. */
export function chooseModel(id: string): void {
  chosenModel.set(id);
  sessions.current.get()?.take({ model: id });
}
