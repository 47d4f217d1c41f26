import { z } from "zod";
import { PlainName } from "./plain-name.ts";

/** Connections to the desktop of one job at the same time. */
export const DESKTOP_VIEWERS_MAX = 64;

export const ViewerId = z
  .string()
  .regex(/^[A-Za-z0-9-]{8,64}$/)
  .meta({
    description:
      "Names one who looks: made up by the client, and kept over connections, so that one who drives goes on driving after a dropped one.",
  });
/** What others see. */
export const ViewerName = PlainName;

/** Of `WS /jobs/{id}/desktop`. */
export const DesktopQuery = z.strictObject({
  viewer: ViewerId.optional(),
  name: ViewerName.default("Somebody"),
  control: z.enum(["view", "take", "force"]).default("view").meta({
    description:
      "view: only looks; take: drives from the beginning, which is refused while somebody else does; force: takes over from whoever does.",
  }),
});
export type DesktopQuery = z.infer<typeof DesktopQuery>;

export const DesktopView = z.object({
  held_by: z.string().nullable().meta({ description: "Who drives; null: nobody does, and the agent may." }),
  clipboard: z
    .boolean()
    .meta({ description: "Whether the clipboard passes between viewers and the desktop." }),
  viewers: z.array(
    z.object({
      viewer: z.string(),
      name: z.string(),
      connections: z
        .int()
        .meta({ description: "0 for one who drives and whose connection was lost a moment ago." }),
      drives: z.boolean(),
    }),
  ),
});
export type DesktopView = z.infer<typeof DesktopView>;

export const ControlRequest = z.strictObject({
  viewer: ViewerId,
  take: z.boolean().meta({ description: "true: takes the desktop over; false: gives it back." }),
  force: z.boolean().default(false).meta({ description: "Also from somebody else who drives." }),
});
export type ControlRequest = z.infer<typeof ControlRequest>;

export const ClipboardRequest = z.strictObject({ enabled: z.boolean() });

export const DesktopOpenQuery = z.strictObject({
  name: ViewerName.optional().meta({ description: "What others see of whoever opens the address." }),
});
