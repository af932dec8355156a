-- Written by llm 0.27 with a model that answers from a script; without indexes and tables that are not read.
CREATE TABLE "attachments" (
   "id" TEXT PRIMARY KEY,
   "type" TEXT,
   "path" TEXT,
   "url" TEXT,
   "content" BLOB
);
INSERT INTO "attachments" VALUES('0f4636c78f65d3639ece5a064b5ae753e3408614a14fb18ab4d7540d2c248543','image/png',NULL,NULL,X'89504E47');
CREATE TABLE "conversations" (
   "id" TEXT PRIMARY KEY,
   "name" TEXT,
   "model" TEXT
);
INSERT INTO "conversations" VALUES('01m87g47agsnmw62xzh5y4sj4h','a question','scripted');
INSERT INTO "conversations" VALUES('01m87g47b5sgfqsyjj6yxdas8y','one','scripted');
INSERT INTO "conversations" VALUES('01m87g47bzd5jf0kdzwd9948e3','A long novel. what is it','scripted');
INSERT INTO "conversations" VALUES('01m87g47dhpbsmyzpdpqe7ehvh','weather?','scripted');
INSERT INTO "conversations" VALUES('01m87g47h9bq477q9r78sqthp6','see','scripted');
CREATE TABLE "fragments" (
   "id" INTEGER PRIMARY KEY,
   "hash" TEXT,
   "content" TEXT,
   "datetime_utc" TEXT,
   "source" TEXT
);
INSERT INTO "fragments" VALUES(1,'67a77ec4f8605f02d930b7861b459d1097a4a24ecb4a4670ba437e7cf2af7466','A long novel.','2026-11-24 19:22:06','novel.txt');
INSERT INTO "fragments" VALUES(2,'913569fbe7060260658aa0bceefb6925e8e89c150224a4ca12af2d435ee3f5e4','Act as a critic.','2026-11-24 19:22:06','sys');
CREATE TABLE "prompt_attachments" (
   "response_id" TEXT,
   "attachment_id" TEXT,
   "order" INTEGER,
   PRIMARY KEY ("response_id", "attachment_id")
);
INSERT INTO "prompt_attachments" VALUES('01m87g47h9bq477q9r78sqthp5','0f4636c78f65d3639ece5a064b5ae753e3408614a14fb18ab4d7540d2c248543',0);
CREATE TABLE "prompt_fragments" (
   "response_id" TEXT,
   "fragment_id" INTEGER,
   "order" INTEGER,
   PRIMARY KEY ("response_id", "fragment_id", "order")
);
INSERT INTO "prompt_fragments" VALUES('01m87g47by6z827e57njc6c037',1,0);
CREATE TABLE "responses" (
   "id" TEXT PRIMARY KEY,
   "model" TEXT,
   "prompt" TEXT,
   "system" TEXT,
   "prompt_json" TEXT,
   "options_json" TEXT,
   "response" TEXT,
   "response_json" TEXT,
   "conversation_id" TEXT,
   "duration_ms" INTEGER,
   "datetime_utc" TEXT,
   "input_tokens" INTEGER,
   "output_tokens" INTEGER,
   "token_details" TEXT,
   "schema_id" TEXT
, "resolved_model" TEXT);
INSERT INTO "responses" VALUES('01m87g47agsnmw62xzh5y4sj4g','scripted','a question','be brief',NULL,'{}','plain answer','{"choices": [{"message": {"content": {"$": "r:01m87g47agsnmw62xzh5y4sj4g"}}, "finish_reason": "stop"}]}','01m87g47agsnmw62xzh5y4sj4h',0,'2026-11-24T19:22:06.544690+00:00',31,12,'{"prompt_tokens_details": {"cached_tokens": 8}}',NULL,NULL);
INSERT INTO "responses" VALUES('01m87g47b5sgfqsyjj6yxdas8z','scripted','one',NULL,NULL,'{}','first reply','{"choices": [{"message": {"content": {"$": "r:01m87g47b5sgfqsyjj6yxdas8z"}}, "finish_reason": "stop"}]}','01m87g47b5sgfqsyjj6yxdas8y',0,'2026-11-24T19:22:06.565907+00:00',31,12,'{"prompt_tokens_details": {"cached_tokens": 8}}',NULL,NULL);
INSERT INTO "responses" VALUES('01m87g47bq3hzzewm19gjxj9y0','scripted','two',NULL,NULL,'{}','second reply that is cut','{"choices": [{"message": {"content": {"$": "r:01m87g47bq3hzzewm19gjxj9y0"}}, "finish_reason": "length"}]}','01m87g47b5sgfqsyjj6yxdas8y',0,'2026-11-24T19:22:06.583345+00:00',31,12,'{"prompt_tokens_details": {"cached_tokens": 8}}',NULL,NULL);
INSERT INTO "responses" VALUES('01m87g47by6z827e57njc6c037','scripted','what is it',NULL,NULL,'{}','about the novel','{"choices": [{"message": {"content": {"$": "r:01m87g47by6z827e57njc6c037"}}, "finish_reason": "stop"}]}','01m87g47bzd5jf0kdzwd9948e3',0,'2026-11-24T19:22:06.591004+00:00',31,12,'{"prompt_tokens_details": {"cached_tokens": 8}}',NULL,NULL);
INSERT INTO "responses" VALUES('01m87g47dptm21yxq2wdw6s6t1','scripted','weather?',NULL,NULL,'{}','','{"choices": [{"message": {"content": ""}, "finish_reason": "stop"}]}','01m87g47dhpbsmyzpdpqe7ehvh',0,'2026-11-24T19:22:06.646143+00:00',31,12,'{"prompt_tokens_details": {"cached_tokens": 8}}',NULL,NULL);
INSERT INTO "responses" VALUES('01m87g47dptm21yxq2wdw6s6t2','scripted','',NULL,NULL,'{}','it is unknown','{"choices": [{"message": {"content": {"$": "r:01m87g47dptm21yxq2wdw6s6t2"}}, "finish_reason": "stop"}]}','01m87g47dhpbsmyzpdpqe7ehvh',0,'2026-11-24T19:22:06.646226+00:00',31,12,'{"prompt_tokens_details": {"cached_tokens": 8}}',NULL,NULL);
INSERT INTO "responses" VALUES('01m87g47h9bq477q9r78sqthp5','scripted','see',NULL,NULL,'{}','an image','{"choices": [{"message": {"content": {"$": "r:01m87g47h9bq477q9r78sqthp5"}}, "finish_reason": "stop"}]}','01m87g47h9bq477q9r78sqthp6',0,'2026-11-24T19:22:06.761097+00:00',31,12,'{"prompt_tokens_details": {"cached_tokens": 8}}',NULL,NULL);
CREATE TABLE "schemas" (
   "id" TEXT PRIMARY KEY,
   "content" TEXT
);
CREATE TABLE "system_fragments" (
   "response_id" TEXT,
   "fragment_id" INTEGER,
   "order" INTEGER,
   PRIMARY KEY ("response_id", "fragment_id", "order")
);
INSERT INTO "system_fragments" VALUES('01m87g47by6z827e57njc6c037',2,0);
CREATE TABLE "tool_calls" (
   "id" INTEGER PRIMARY KEY,
   "response_id" TEXT,
   "tool_id" INTEGER,
   "name" TEXT,
   "arguments" TEXT,
   "tool_call_id" TEXT
);
INSERT INTO "tool_calls" VALUES(1,'01m87g47dptm21yxq2wdw6s6t1',1,'weather','{"city": "Nowhere"}','tc_1');
CREATE TABLE "tool_results" (
   "id" INTEGER PRIMARY KEY,
   "response_id" TEXT,
   "tool_id" INTEGER,
   "name" TEXT,
   "output" TEXT,
   "tool_call_id" TEXT,
   "instance_id" INTEGER
, "exception" TEXT);
INSERT INTO "tool_results" VALUES(1,'01m87g47dptm21yxq2wdw6s6t2',1,'weather','Error: no such city','tc_1',NULL,'ValueError: no such city');
