-- Written by llm 0.36 with a model that answers from a script; without indexes and tables that are not read.
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
CREATE TABLE "fragments" (
   "id" INTEGER PRIMARY KEY,
   "hash" TEXT,
   "content" TEXT,
   "datetime_utc" TEXT,
   "source" TEXT
);
INSERT INTO "fragments" VALUES(1,'67a77ec4f8605f02d930b7861b459d1097a4a24ecb4a4670ba437e7cf2af7466','A long novel.','2026-11-24 19:22:09','novel.txt');
INSERT INTO "fragments" VALUES(2,'913569fbe7060260658aa0bceefb6925e8e89c150224a4ca12af2d435ee3f5e4','Act as a critic.','2026-11-24 19:22:09','sys');
CREATE TABLE "messages" (
   "hash" TEXT PRIMARY KEY,
   "parent_hash" TEXT,
   "role" TEXT,
   "provider_metadata" TEXT
);
INSERT INTO "messages" VALUES('b2:32cb3af67079be8aeafd8b05763f32c1',NULL,'system',NULL);
INSERT INTO "messages" VALUES('b2:ce396aec0871a1511703426ee782b823','b2:32cb3af67079be8aeafd8b05763f32c1','user',NULL);
INSERT INTO "messages" VALUES('b2:7ec3b17f737eba3999490ec489a8a432','b2:ce396aec0871a1511703426ee782b823','assistant',NULL);
INSERT INTO "messages" VALUES('b2:6abff0fdae39dd3c7a604c86f9daa2ef',NULL,'user',NULL);
INSERT INTO "messages" VALUES('b2:61a0c0a2e11281a4a56ea5a67edd0dd0','b2:6abff0fdae39dd3c7a604c86f9daa2ef','assistant',NULL);
INSERT INTO "messages" VALUES('b2:f6ddf42e7761d92e2e64bee71b78dbea','b2:61a0c0a2e11281a4a56ea5a67edd0dd0','user',NULL);
INSERT INTO "messages" VALUES('b2:e94277eaea3fdac69f12f1a8b085118f','b2:f6ddf42e7761d92e2e64bee71b78dbea','assistant',NULL);
INSERT INTO "messages" VALUES('b2:906b5f1df480b68845c737b623cd5f4b',NULL,'system',NULL);
INSERT INTO "messages" VALUES('b2:62fb1c90d8e313174a68726169688694','b2:906b5f1df480b68845c737b623cd5f4b','user',NULL);
INSERT INTO "messages" VALUES('b2:7610bf200983e27cc220a34bf0d9d7a6','b2:62fb1c90d8e313174a68726169688694','assistant',NULL);
INSERT INTO "messages" VALUES('b2:65898d050e5f1b9bd96cbc44639b4c63',NULL,'user',NULL);
INSERT INTO "messages" VALUES('b2:837ae351735e7204b1756f08f92b8b12','b2:65898d050e5f1b9bd96cbc44639b4c63','assistant',NULL);
INSERT INTO "messages" VALUES('b2:80ce60e7bd1b2b23d116a3474e6d7050','b2:837ae351735e7204b1756f08f92b8b12','tool',NULL);
INSERT INTO "messages" VALUES('b2:59b0d77dd5c21022df66feab3ef8122e','b2:80ce60e7bd1b2b23d116a3474e6d7050','assistant',NULL);
INSERT INTO "messages" VALUES('b2:596412393644285708d976db0095073a',NULL,'user',NULL);
INSERT INTO "messages" VALUES('b2:4eaf4ad0b4697f2c145ae70aec4b5770','b2:596412393644285708d976db0095073a','assistant',NULL);
CREATE TABLE "part_attachments" (
   "part_id" INTEGER,
   "attachment_id" TEXT,
   "order" INTEGER,
   PRIMARY KEY ("part_id", "attachment_id", "order")
);
INSERT INTO "part_attachments" VALUES(16,'0f4636c78f65d3639ece5a064b5ae753e3408614a14fb18ab4d7540d2c248543',0);
CREATE TABLE "part_fragments" (
   "part_id" INTEGER,
   "fragment_id" INTEGER,
   "order" INTEGER,
   PRIMARY KEY ("part_id", "fragment_id", "order")
);
INSERT INTO "part_fragments" VALUES(8,2,0);
INSERT INTO "part_fragments" VALUES(9,1,0);
CREATE TABLE "parts" (
   "id" INTEGER PRIMARY KEY,
   "message_hash" TEXT,
   "position" INTEGER,
   "type" TEXT,
   "tool_name" TEXT,
   "text" TEXT,
   "payload" TEXT
);
INSERT INTO "parts" VALUES(1,'b2:32cb3af67079be8aeafd8b05763f32c1',0,'text',NULL,'be brief',NULL);
INSERT INTO "parts" VALUES(2,'b2:ce396aec0871a1511703426ee782b823',0,'text',NULL,'a question',NULL);
INSERT INTO "parts" VALUES(3,'b2:7ec3b17f737eba3999490ec489a8a432',0,'text',NULL,'plain answer',NULL);
INSERT INTO "parts" VALUES(4,'b2:6abff0fdae39dd3c7a604c86f9daa2ef',0,'text',NULL,'one',NULL);
INSERT INTO "parts" VALUES(5,'b2:61a0c0a2e11281a4a56ea5a67edd0dd0',0,'text',NULL,'first reply',NULL);
INSERT INTO "parts" VALUES(6,'b2:f6ddf42e7761d92e2e64bee71b78dbea',0,'text',NULL,'two',NULL);
INSERT INTO "parts" VALUES(7,'b2:e94277eaea3fdac69f12f1a8b085118f',0,'text',NULL,'second reply that is cut',NULL);
INSERT INTO "parts" VALUES(8,'b2:906b5f1df480b68845c737b623cd5f4b',0,'text',NULL,NULL,'{"text_ref": [{"fragment": 2}]}');
INSERT INTO "parts" VALUES(9,'b2:62fb1c90d8e313174a68726169688694',0,'text',NULL,NULL,'{"text_ref": [{"fragment": 1}, {"literal": "\nwhat is it"}]}');
INSERT INTO "parts" VALUES(10,'b2:7610bf200983e27cc220a34bf0d9d7a6',0,'text',NULL,'about the novel',NULL);
INSERT INTO "parts" VALUES(11,'b2:65898d050e5f1b9bd96cbc44639b4c63',0,'text',NULL,'weather?',NULL);
INSERT INTO "parts" VALUES(12,'b2:837ae351735e7204b1756f08f92b8b12',0,'tool_call','weather',NULL,'{"name": "weather", "arguments": {"city": "Nowhere"}, "tool_call_id": "tc_1"}');
INSERT INTO "parts" VALUES(13,'b2:80ce60e7bd1b2b23d116a3474e6d7050',0,'tool_result','weather',NULL,'{"name": "weather", "output": "Error: no such city", "tool_call_id": "tc_1", "exception": "ValueError: no such city"}');
INSERT INTO "parts" VALUES(14,'b2:59b0d77dd5c21022df66feab3ef8122e',0,'text',NULL,'it is unknown',NULL);
INSERT INTO "parts" VALUES(15,'b2:596412393644285708d976db0095073a',0,'text',NULL,'see',NULL);
INSERT INTO "parts" VALUES(16,'b2:596412393644285708d976db0095073a',1,'attachment',NULL,NULL,'{"attachment": {"id": "0f4636c78f65d3639ece5a064b5ae753e3408614a14fb18ab4d7540d2c248543"}}');
INSERT INTO "parts" VALUES(17,'b2:4eaf4ad0b4697f2c145ae70aec4b5770',0,'text',NULL,'an image',NULL);
CREATE TABLE "prompt_attachments" (
   "response_id" TEXT,
   "attachment_id" TEXT,
   "order" INTEGER,
   PRIMARY KEY ("response_id", "attachment_id")
);
CREATE TABLE "prompt_fragments" (
   "response_id" TEXT,
   "fragment_id" INTEGER,
   "order" INTEGER,
   PRIMARY KEY ("response_id", "fragment_id", "order")
);
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
, "resolved_model" TEXT, "reasoning" TEXT);
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
CREATE TABLE "threads" (
   "id" TEXT PRIMARY KEY,
   "name" TEXT,
   "tip_message_hash" TEXT,
   "forked_from" TEXT,
   "datetime_utc" TEXT
);
INSERT INTO "threads" VALUES('01m87g49wgxn8qdsbwf3wg92kb','a question','b2:7ec3b17f737eba3999490ec489a8a432',NULL,'2026-11-24 19:22:09.168387+00:00');
INSERT INTO "threads" VALUES('01m87g49wwhr4gqrk4q0e9k307','one','b2:e94277eaea3fdac69f12f1a8b085118f',NULL,'2026-11-24 19:22:09.181444+00:00');
INSERT INTO "threads" VALUES('01m87g49xggwh8zxwqdxrsvefb','A long novel. what is it','b2:7610bf200983e27cc220a34bf0d9d7a6',NULL,'2026-11-24 19:22:09.200603+00:00');
INSERT INTO "threads" VALUES('01m87g49xwqwqep3w2vn8af2r1','weather?','b2:59b0d77dd5c21022df66feab3ef8122e',NULL,'2026-11-24 19:22:09.215567+00:00');
INSERT INTO "threads" VALUES('01m87g49ynpwezhp28s1mfe6dd','see','b2:4eaf4ad0b4697f2c145ae70aec4b5770',NULL,'2026-11-24 19:22:09.237878+00:00');
CREATE TABLE "tool_calls" (
   "id" INTEGER PRIMARY KEY,
   "response_id" TEXT,
   "tool_id" INTEGER,
   "name" TEXT,
   "arguments" TEXT,
   "tool_call_id" TEXT
);
CREATE TABLE "tool_results" (
   "id" INTEGER PRIMARY KEY,
   "response_id" TEXT,
   "tool_id" INTEGER,
   "name" TEXT,
   "output" TEXT,
   "tool_call_id" TEXT,
   "instance_id" INTEGER
, "exception" TEXT);
CREATE TABLE "turns" (
   "id" TEXT PRIMARY KEY,
   "thread_id" TEXT,
   "parent_message_hash" TEXT,
   "tip_message_hash" TEXT,
   "model" TEXT,
   "resolved_model" TEXT,
   "options_json" TEXT,
   "schema_id" TEXT,
   "input_tokens" INTEGER,
   "output_tokens" INTEGER,
   "token_details" TEXT,
   "duration_ms" INTEGER,
   "datetime_utc" TEXT
, "response_json" TEXT);
INSERT INTO "turns" VALUES('01m87g49wecmvymhehak3f3ay3','01m87g49wgxn8qdsbwf3wg92kb','b2:ce396aec0871a1511703426ee782b823','b2:7ec3b17f737eba3999490ec489a8a432','scripted',NULL,NULL,NULL,31,12,'{"prompt_tokens_details": {"cached_tokens": 8}}',0,'2026-11-24T19:22:09.166743+00:00','{"choices": [{"message": {"content": "plain answer"}, "finish_reason": "stop"}]}');
INSERT INTO "turns" VALUES('01m87g49wxrg69eztwhhbp9stn','01m87g49wwhr4gqrk4q0e9k307','b2:6abff0fdae39dd3c7a604c86f9daa2ef','b2:61a0c0a2e11281a4a56ea5a67edd0dd0','scripted',NULL,NULL,NULL,31,12,'{"prompt_tokens_details": {"cached_tokens": 8}}',0,'2026-11-24T19:22:09.181111+00:00','{"choices": [{"message": {"content": "first reply"}, "finish_reason": "stop"}]}');
INSERT INTO "turns" VALUES('01m87g49x6ceg3qb4hwfn2yfnz','01m87g49wwhr4gqrk4q0e9k307','b2:f6ddf42e7761d92e2e64bee71b78dbea','b2:e94277eaea3fdac69f12f1a8b085118f','scripted',NULL,NULL,NULL,31,12,'{"prompt_tokens_details": {"cached_tokens": 8}}',0,'2026-11-24T19:22:09.190075+00:00','{"choices": [{"message": {"content": "second reply that is cut"}, "finish_reason": "length"}]}');
INSERT INTO "turns" VALUES('01m87g49xggwh8zxwqdxrsvefa','01m87g49xggwh8zxwqdxrsvefb','b2:62fb1c90d8e313174a68726169688694','b2:7610bf200983e27cc220a34bf0d9d7a6','scripted',NULL,NULL,NULL,31,12,'{"prompt_tokens_details": {"cached_tokens": 8}}',0,'2026-11-24T19:22:09.200233+00:00','{"choices": [{"message": {"content": "about the novel"}, "finish_reason": "stop"}]}');
INSERT INTO "turns" VALUES('01m87g49xyqswyf6nj2dmbnk6g','01m87g49xwqwqep3w2vn8af2r1','b2:65898d050e5f1b9bd96cbc44639b4c63','b2:837ae351735e7204b1756f08f92b8b12','scripted',NULL,NULL,NULL,31,12,'{"prompt_tokens_details": {"cached_tokens": 8}}',0,'2026-11-24T19:22:09.215040+00:00','{"choices": [{"message": {"content": ""}, "finish_reason": "stop"}]}');
INSERT INTO "turns" VALUES('01m87g49xz09sqbrmzkxc4bj7s','01m87g49xwqwqep3w2vn8af2r1','b2:80ce60e7bd1b2b23d116a3474e6d7050','b2:59b0d77dd5c21022df66feab3ef8122e','scripted',NULL,NULL,NULL,31,12,'{"prompt_tokens_details": {"cached_tokens": 8}}',0,'2026-11-24T19:22:09.215182+00:00','{"choices": [{"message": {"content": "it is unknown"}, "finish_reason": "stop"}]}');
INSERT INTO "turns" VALUES('01m87g49ynpwezhp28s1mfe6dc','01m87g49ynpwezhp28s1mfe6dd','b2:596412393644285708d976db0095073a','b2:4eaf4ad0b4697f2c145ae70aec4b5770','scripted',NULL,NULL,NULL,31,12,'{"prompt_tokens_details": {"cached_tokens": 8}}',0,'2026-11-24T19:22:09.237474+00:00','{"choices": [{"message": {"content": "an image"}, "finish_reason": "stop"}]}');
