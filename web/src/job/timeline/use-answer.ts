import { useMutation } from "@tanstack/react-query";
import { answerApproval } from "../../api/jobs.ts";
import { useToasts } from "../../ui/toasts.tsx";

/** Answers a question of a job; the events say when it counts. */
export function useAnswer(job_id: string, n: number) {
  const { failed } = useToasts();
  return useMutation({
    mutationFn: (decision: "allow" | "deny") => answerApproval(job_id, n, decision),
    onError: failed,
  });
}
